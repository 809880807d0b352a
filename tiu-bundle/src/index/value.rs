//! Reads single values of a line, each in its only spelling.

use super::acl::check_acl;
use super::error::{LineError, shown};
use super::escape::{Field, unescape};
use super::limits::{MAX_NAME, MAX_PATH, MAX_TARGET, MAX_XATTR_LIST, MAX_XATTR_NAME, MAX_XATTR_VALUE, TIMES};
use super::{Kind, Mtime, Xattrs};
use crate::content_digest::Digest;
use crate::sha256::from_hex;
use std::borrow::Cow;
use tiu_system::path::{PathError, TreePath, TreePathBuf};

pub(super) fn number(text: &[u8], field: &'static str, max: u64) -> Result<u64, LineError> {
    shortest_decimal(text).filter(|n| *n <= max).ok_or_else(|| LineError::BadNumber {
        field,
        found: shown(text),
        max,
    })
}

/// Reads digits without sign and leading zero.
fn shortest_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    text.iter().try_fold(0u64, |n, c| {
        let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Returns kind and permission bits.
pub(super) fn split_mode(text: &[u8]) -> Result<(Kind, u32), LineError> {
    let octal = |text: &[u8]| {
        if text.is_empty() || text.len() > 6 || text.first() == Some(&b'0') {
            return None;
        }
        text.iter().try_fold(0u32, |n, c| matches!(c, b'0'..=b'7').then(|| n * 8 + u32::from(c - b'0')))
    };
    let mode = octal(text).ok_or_else(|| LineError::BadMode(shown(text)))?;
    let kind = Kind::from_mode(mode).ok_or(LineError::BadKind(mode))?;
    Ok((kind, mode & 0o7777))
}

pub(super) fn time(text: &[u8]) -> Result<Mtime, LineError> {
    let parse = || {
        let dot = text.iter().position(|c| *c == b'.')?;
        let (sec, nsec) = (text.get(..dot)?, text.get(dot + 1..)?);
        let sec = match sec.strip_prefix(b"-") {
            Some(sec) => match shortest_decimal(sec)? {
                0 => return None,
                sec => 0i64.checked_sub_unsigned(sec)?,
            },
            None => i64::try_from(shortest_decimal(sec)?).ok()?,
        };
        let nsec = shortest_decimal(nsec).filter(|n| *n <= 999_999_999)? as u32;
        Some(Mtime { sec, nsec })
    };
    let time = parse().ok_or_else(|| LineError::BadTime(shown(text)))?;
    if TIMES.contains(&time.sec) {
        Ok(time)
    } else {
        Err(LineError::TimeRange { found: time.sec, first: *TIMES.start(), last: *TIMES.end() })
    }
}

/// Unescapes and checks a path, which has a slash in front in the text.
pub(super) fn path<'a>(
    text: &'a [u8],
    field: &'static str,
    wrong: fn(PathError) -> LineError,
) -> Result<Cow<'a, TreePath>, LineError> {
    if text.first() != Some(&b'/') {
        return Err(wrong(PathError::NotAbsolute));
    }
    let bytes =
        unescape(text, Field::Fixed).ok_or_else(|| LineError::BadEscape { field, found: shown(text) })?;
    if bytes.len() > MAX_PATH {
        return Err(LineError::TooLong { field, found: bytes.len(), max: MAX_PATH });
    }
    let path = match bytes {
        Cow::Borrowed(bytes) => TreePath::parse_absolute(bytes).map(Cow::Borrowed),
        Cow::Owned(bytes) => TreePathBuf::parse_absolute(&bytes).map(Cow::Owned),
    };
    let path = path.map_err(wrong)?;
    // A short path has no long component.
    if path.as_bytes().len() > MAX_NAME
        && let Some(name) = path.components().find(|name| name.len() > MAX_NAME)
    {
        return Err(LineError::TooLong { field: "path component", found: name.len(), max: MAX_NAME });
    }
    Ok(path)
}

pub(super) fn symlink_target(text: &[u8]) -> Result<Cow<'_, [u8]>, LineError> {
    if text == b"-" || text.is_empty() {
        return Err(LineError::NoTarget);
    }
    let target = unescape(text, Field::Fixed)
        .ok_or_else(|| LineError::BadEscape { field: "symbolic link's target", found: shown(text) })?;
    if target.len() > MAX_TARGET {
        return Err(LineError::TooLong {
            field: "symbolic link's target",
            found: target.len(),
            max: MAX_TARGET,
        });
    }
    if target.contains(&0) { Err(LineError::Nul("symbolic link's target")) } else { Ok(target) }
}

pub(super) fn digest(text: &[u8], size: u64) -> Result<Digest, LineError> {
    match (text, from_hex(text)) {
        (_, Some(digest)) => Ok(Digest(digest)),
        (b"-", _) => Err(LineError::DigestMissing { size }),
        _ => Err(LineError::BadDigest(shown(text))),
    }
}

/// `text` is empty or ` NAME=VALUE` once or more.
pub(super) fn xattrs(text: &[u8]) -> Result<Xattrs<'_>, LineError> {
    let mut xattrs: Xattrs = Vec::new();
    let mut list_size = 0;
    for xattr in text.split(|c| *c == b' ').skip(1) {
        let equals =
            xattr.iter().position(|c| *c == b'=').ok_or_else(|| LineError::XattrNoEquals(shown(xattr)))?;
        let (name, value) = (xattr.get(..equals).unwrap_or(&[]), xattr.get(equals + 1..).unwrap_or(&[]));
        let bad_escape = |field| LineError::BadEscape { field, found: shown(xattr) };
        let name = unescape(name, Field::Xattr).ok_or_else(|| bad_escape("extended attribute's name"))?;
        let value = unescape(value, Field::Xattr).ok_or_else(|| bad_escape("extended attribute's value"))?;
        let at_most = |field, found, max| {
            if found > max { Err(LineError::TooLong { field, found, max }) } else { Ok(()) }
        };
        at_most("extended attribute's name", name.len(), MAX_XATTR_NAME)?;
        at_most("extended attribute's value", value.len(), MAX_XATTR_VALUE)?;
        list_size += name.len() + 1;
        at_most("list of extended attributes", list_size, MAX_XATTR_LIST)?;
        if name.is_empty() {
            return Err(LineError::XattrNoName);
        }
        if name.contains(&0) {
            return Err(LineError::Nul("extended attribute's name"));
        }
        if let Some((previous, _)) = xattrs.last() {
            match previous.cmp(&name) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(LineError::XattrTwice(shown(&name))),
                std::cmp::Ordering::Greater => {
                    return Err(LineError::XattrNotSorted { name: shown(&name), previous: shown(previous) });
                }
            }
        }
        check_acl(&name, &value).map_err(|problem| LineError::Acl { name: shown(&name), problem })?;
        xattrs.push((name, value));
    }
    Ok(xattrs)
}
