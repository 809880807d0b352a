//! Reads an entry from a line of the index, and writes it.

use super::acl::check_acl;
use super::error::{LineError, shown};
use super::escape::{Field, escape, unescape};
use super::{Entry, Kind, Mtime, Xattrs};
use crate::content_digest::{Digest, digest_bytes};
use crate::sha256::{from_hex, to_hex};
use std::borrow::Cow;
use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use tiu_system::path::{PathError, TreePath, TreePathBuf};

/// Longest path in bytes, with its leading slash (Linux' PATH_MAX).
pub const MAX_PATH: usize = 4096;
/// Longest path component in bytes (NAME_MAX).
pub const MAX_NAME: usize = 255;
/// Longest target of a symbolic link in bytes (PATH_MAX without the NUL).
pub const MAX_TARGET: usize = 4095;
/// Longest name of an extended attribute in bytes (XATTR_NAME_MAX).
pub const MAX_XATTR_NAME: usize = 255;
/// Longest value of an extended attribute in bytes (XATTR_SIZE_MAX).
pub const MAX_XATTR_VALUE: usize = 65536;
/// Longest list of names of extended attributes in bytes, each with a NUL (XATTR_LIST_MAX).
pub const MAX_XATTR_LIST: usize = 65536;

/// Largest number of a user or group: Linux uses 4294967295 for "none", and no file can have it.
pub const MAX_ID: u32 = u32::MAX - 1;
/// Largest device number: what Linux keeps of one, 12 bits of major and 20 of minor number.
pub const MAX_DEVICE: u64 = u32::MAX as u64;
/// Seconds of the earliest and the latest time: what ext4 can hold (1901-12-13 to 2446-05-10), and
/// so also btrfs. A time that the target's filesystem cannot hold would be another one there.
pub const TIMES: RangeInclusive<i64> = -(1 << 31)..=(1 << 34) - (1 << 31) - 1;

/// The byte that stands for a digest, and for the payload that follows from it, where digests are
/// kept apart. No line has it: a byte that is not printable is escaped.
pub(super) const MARK: u8 = 1;

/// Digest of an empty file, which the format does not spell out.
pub(super) static EMPTY_FILE: LazyLock<Digest> = LazyLock::new(|| digest_bytes(b""));

/// The eleven fixed fields and the extended attributes, as they are in the text.
pub(super) struct Fields<'a> {
    pub path: &'a [u8],
    size: &'a [u8],
    /// Without `@`.
    mode: &'a [u8],
    /// True if the mode starts with `@`.
    pub is_link: bool,
    nlink: &'a [u8],
    uid: &'a [u8],
    gid: &'a [u8],
    rdev: &'a [u8],
    mtime: &'a [u8],
    payload: &'a [u8],
    content: &'a [u8],
    digest: &'a [u8],
    /// Everything after the digest; empty or starting with a space.
    xattrs: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Splits `line`, which has no newline.
    pub fn split(line: &'a [u8]) -> Result<Self, LineError> {
        let mut rest = Some(line);
        let mut field = |name| {
            let text = rest.ok_or(LineError::MissingField(name))?;
            let (field, tail) = match text.iter().position(|c| *c == b' ') {
                Some(at) => (text.get(..at), text.get(at + 1..)),
                None => (Some(text), None),
            };
            rest = tail;
            field.ok_or(LineError::MissingField(name))
        };
        let path = field("path")?;
        let size = field("size")?;
        let mode = field("mode")?;
        let link_mode = mode.strip_prefix(b"@");
        Ok(Fields {
            path,
            size,
            mode: link_mode.unwrap_or(mode),
            is_link: link_mode.is_some(),
            nlink: field("number of links")?,
            uid: field("owner")?,
            gid: field("group")?,
            rdev: field("device number")?,
            mtime: field("time")?,
            payload: field("payload")?,
            content: field("content")?,
            digest: field("digest")?,
            xattrs: rest.map_or(&[], |tail| line.get(line.len() - tail.len() - 1..).unwrap_or(&[])),
        })
    }

    /// Returns a hash of everything that the names of an inode have in common. Every value has one
    /// spelling, so the texts can be compared.
    pub fn inode_hash(&self) -> Digest {
        let parts = [
            self.size,
            self.mode,
            self.nlink,
            self.uid,
            self.gid,
            self.rdev,
            self.mtime,
            self.content,
            self.digest,
            self.xattrs,
        ];
        Digest::compute(&parts.join(&b' '))
    }

    /// Appends `line`, of which these are the fields, with [`MARK`] in the place of its digest and
    /// of what follows from that. Returns the digest. Appends nothing if the line has none.
    pub fn write_without_digest(&self, line: &[u8], out: &mut Vec<u8>) -> Option<Digest> {
        let digest = Digest(from_hex(self.digest)?);
        out.extend_from_slice(self.before_payload(line));
        if self.is_link {
            out.extend_from_slice(self.payload)
        } else {
            out.push(MARK)
        }
        out.extend_from_slice(b" - ");
        out.push(MARK);
        out.extend_from_slice(self.xattrs);
        Some(digest)
    }

    /// Appends `line`, of which these are the fields, with `digest` in the place of [`MARK`].
    pub fn write_with_digest(&self, line: &[u8], digest: Digest, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before_payload(line));
        match self.payload {
            [MARK] => out.extend_from_slice(payload_of(digest).as_bytes()),
            payload => out.extend_from_slice(payload),
        }
        out.extend_from_slice(b" - ");
        out.extend_from_slice(to_hex(&digest.0, &mut [0; 64]).as_bytes());
        out.extend_from_slice(self.xattrs);
    }

    /// Returns the part of `line`, of which these are the fields, before the payload.
    fn before_payload<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let after = [self.payload, self.content, self.digest, self.xattrs];
        // Each has a space in front, the attributes have theirs with them.
        let length = after.iter().map(|field| field.len()).sum::<usize>() + 2;
        line.get(..line.len() - length).unwrap_or_default()
    }

    /// Returns the kind of the inode, for hard links too.
    pub fn inode_kind(&self) -> Result<Kind, LineError> {
        Ok(split_mode(self.mode)?.0)
    }

    /// Returns the path of the entry to which a hard link leads.
    pub fn link_target(&self) -> Result<Cow<'a, TreePath>, LineError> {
        path(self.payload, "hard link's target", LineError::LinkTarget)
    }

    /// Returns the values that every entry has.
    fn common(&self) -> Result<Entry<'a>, LineError> {
        let (kind, mode) = split_mode(self.mode)?;
        let size = number(self.size, "size", i64::MAX as u64)?;
        Ok(Entry {
            path: path(self.path, "path", LineError::Path)?,
            kind,
            mode,
            nlink: number(self.nlink, "number of links", u32::MAX.into())? as u32,
            uid: number(self.uid, "owner", MAX_ID.into())? as u32,
            gid: number(self.gid, "group", MAX_ID.into())? as u32,
            rdev: number(self.rdev, "device number", MAX_DEVICE)?,
            mtime: time(self.mtime)?,
            size,
            target: None,
            link: None,
            digest: None,
            xattrs: xattrs(self.xattrs)?,
        })
    }

    /// Returns all values of a line that was checked by [`entry`](Self::entry) and may have
    /// [`MARK`] in the place of `digest`.
    pub fn stored(&self, digest: Option<Digest>) -> Result<Entry<'a>, LineError> {
        let mut entry = self.common()?;
        if entry.kind == Kind::File {
            entry.digest = digest.or(Some(*EMPTY_FILE));
        }
        if self.is_link {
            entry.link = Some(self.link_target()?);
            entry.kind = Kind::HardLink;
        } else if entry.kind == Kind::Symlink {
            entry.target = Some(symlink_target(self.payload)?);
        }
        Ok(entry)
    }

    /// Returns all values, each checked on its own.
    pub fn entry(&self) -> Result<Entry<'a>, LineError> {
        let mut entry = self.common()?;
        let (kind, size) = (entry.kind, entry.size);
        let must_be = |field, found: &[u8], expected: &str| {
            if found == expected.as_bytes() {
                return Ok(());
            }
            Err(LineError::Unexpected { field, found: shown(found), expected: expected.to_owned(), kind })
        };
        must_be("content", self.content, "-")?;
        if !matches!(kind, Kind::CharDev | Kind::BlockDev) {
            must_be("device number", self.rdev, "0")?;
        }
        match kind {
            Kind::File if size == 0 => {
                must_be("digest", self.digest, "-")?;
                entry.digest = Some(*EMPTY_FILE);
            }
            Kind::File => entry.digest = Some(digest(self.digest, size)?),
            _ => must_be("digest", self.digest, "-")?,
        }
        let payload = match (kind, self.is_link) {
            (_, true) => {
                entry.link = Some(self.link_target()?);
                entry.kind = Kind::HardLink;
                None
            }
            (Kind::Symlink, _) => {
                entry.target = Some(symlink_target(self.payload)?);
                None
            }
            (Kind::File, _) if size > 0 => entry.digest.map(payload_of),
            _ => Some("-".to_owned()),
        };
        if let Some(expected) = payload
            && expected.as_bytes() != self.payload
        {
            return Err(LineError::BadPayload { found: shown(self.payload), expected });
        }
        match (kind, &entry.target) {
            // The target of a hard link to a symbolic link is not known here; its size is compared
            // with the inode's.
            (Kind::Symlink, _) if self.is_link => {}
            (Kind::Symlink, Some(target)) => must_be("size", self.size, &target.len().to_string())?,
            (Kind::File, _) => {}
            _ => must_be("size", self.size, "0")?,
        }
        Ok(entry)
    }
}

/// Returns where a composefs object store keeps a file of this digest.
fn payload_of(digest: Digest) -> String {
    let hex = digest.to_string();
    let (head, tail) = hex.split_at(2);
    format!("{head}/{tail}")
}

fn number(text: &[u8], field: &'static str, max: u64) -> Result<u64, LineError> {
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
fn split_mode(text: &[u8]) -> Result<(Kind, u32), LineError> {
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

fn time(text: &[u8]) -> Result<Mtime, LineError> {
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
fn path<'a>(
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

fn symlink_target(text: &[u8]) -> Result<Cow<'_, [u8]>, LineError> {
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

fn digest(text: &[u8], size: u64) -> Result<Digest, LineError> {
    match (text, from_hex(text)) {
        (_, Some(digest)) => Ok(Digest(digest)),
        (b"-", _) => Err(LineError::DigestMissing { size }),
        _ => Err(LineError::BadDigest(shown(text))),
    }
}

/// `text` is empty or ` NAME=VALUE` once or more.
fn xattrs(text: &[u8]) -> Result<Xattrs<'_>, LineError> {
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

/// Returns true if a line that was checked is a hard link.
pub(super) fn is_link(line: &[u8]) -> bool {
    Fields::split(line).is_ok_and(|fields| fields.is_link)
}

/// Returns a path as the text has it.
pub(super) fn path_text(path: &TreePath) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.as_bytes().len() + 1);
    write_path(&mut text, path);
    text
}

fn write_path(out: &mut Vec<u8>, path: &TreePath) {
    out.push(b'/');
    // `-` is special as a whole field, which it never is after the slash.
    match path.as_bytes() {
        b"-" => out.push(b'-'),
        bytes => escape(out, bytes, Field::Fixed),
    }
}

/// Appends the line of `entry`, with its newline. `inode` is the inode of a hard link, and the
/// entry itself otherwise.
pub(super) fn write_line(out: &mut Vec<u8>, entry: &Entry, inode: &Entry, nlink: u32) {
    let link = (entry.kind == Kind::HardLink).then(|| entry.link.as_deref().unwrap_or(TreePath::ROOT));
    let size = match (inode.kind, &inode.target) {
        (Kind::File, _) => inode.size,
        (Kind::Symlink, Some(target)) => target.len() as u64,
        _ => 0,
    };
    write_path(out, &entry.path);
    let rdev = if matches!(inode.kind, Kind::CharDev | Kind::BlockDev) { inode.rdev } else { 0 };
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        " {size} {}{:o} {nlink} {} {} {rdev} {}.{} ",
        if link.is_some() { "@" } else { "" },
        inode.kind.type_bits() | (inode.mode & 0o7777),
        inode.uid,
        inode.gid,
        inode.mtime.sec,
        inode.mtime.nsec
    );
    let digest = inode.digest.filter(|_| inode.kind == Kind::File && size > 0);
    match (link, &entry.target, digest) {
        (Some(link), _, _) => write_path(out, link),
        (None, Some(target), _) => escape(out, target, Field::Fixed),
        (None, None, Some(digest)) => out.extend_from_slice(payload_of(digest).as_bytes()),
        (None, None, None) => out.push(b'-'),
    }
    let _ = match digest {
        Some(digest) => write!(out, " - {digest}"),
        None => write!(out, " - -"),
    };
    let mut xattrs: Vec<_> = inode.xattrs.iter().collect();
    xattrs.sort();
    for (name, value) in xattrs {
        out.push(b' ');
        escape(out, name, Field::Xattr);
        out.push(b'=');
        escape(out, value, Field::Xattr);
    }
    out.push(b'\n');
}
