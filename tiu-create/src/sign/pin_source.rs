//! The attribute `pin-source` of a `pkcs11:` URI: the file that holds the PIN (RFC 7512, section
//! 2.4).
//!
//! The file is read here. The program that signs gets a URI without the attribute, so only this
//! code reads the file and decides about it.

use super::SignError;
use super::passphrase::first_line;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `O_NONBLOCK` of open(2): opening a fifo must not wait for a writer.
const O_NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;
/// The rights of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Returns `uri` without the attribute, and the file that it names.
pub(super) fn take(uri: &str) -> Result<(String, Option<PathBuf>), SignError> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Ok((uri.to_owned(), None)) };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut found: Vec<String> = Vec::new();
    // It belongs into the query; early drafts had it in the path.
    let mut without = |text: &str, separator: char| {
        let mut kept: Vec<String> = Vec::new();
        for attribute in text.split(separator) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            if decoded(name).trim_ascii().eq_ignore_ascii_case(b"pin-source") {
                found.push(value.to_owned());
            } else {
                kept.push(attribute.to_owned());
            }
        }
        kept.join(&separator.to_string())
    };
    let (path, query) = (without(path, ';'), without(query, '&'));
    let separator = if query.is_empty() { "" } else { "?" };
    let file = match &found[..] {
        [] => None,
        [value] => Some(file(&decoded(value))?),
        _ => return Err(SignError::PinSource { found: "given more than once" }),
    };
    Ok((format!("{scheme}:{path}{separator}{query}"), file))
}

/// Returns the path that the value of the attribute names.
fn file(value: &[u8]) -> Result<PathBuf, SignError> {
    let refused = |found| Err(SignError::PinSource { found });
    let is_uri = value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"file:"));
    let path = match value {
        [] => return refused("empty"),
        [b'|', ..] => return refused("a command"),
        _ if !is_uri => value,
        // file:/path, file:///path, file://localhost/path (RFC 8089)
        uri => match uri.get(5..).unwrap_or_default() {
            path @ [b'/', b'/', ..] => {
                let path = path.get(2..).unwrap_or_default();
                path.strip_prefix(b"localhost".as_slice()).unwrap_or(path)
            }
            path => path,
        },
    };
    match path {
        [b'/', ..] if !path.contains(&0) => Ok(PathBuf::from(OsString::from_vec(path.to_vec()))),
        _ => refused("something else"),
    }
}

/// Returns the first line of the file, which must be a regular one that is not everybody's.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SignError> {
    let failed = |source| SignError::Read { path: path.to_owned(), source };
    let file = File::options().read(true).custom_flags(O_NONBLOCK).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SignError::PinFileKind { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(SignError::PinFileMode { path: path.to_owned(), mode });
    }
    first_line(&file).map_err(failed)
}

/// Returns the bytes of a percent-encoded text.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().iter().copied();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits: Vec<u8> = bytes.clone().take(2).collect();
        let is_escape = byte == b'%' && digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(&digits).unwrap_or_default();
        let hex = is_escape.then(|| u8::from_str_radix(text, 16).ok()).flatten();
        match hex {
            Some(value) => {
                out.push(value);
                bytes.by_ref().take(2).for_each(drop);
            }
            None => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_taken_out_of_the_uri() {
        for (uri, rest, path) in [
            ("pkcs11:token=a;object=b?pin-source=/etc/pin", "pkcs11:token=a;object=b", "/etc/pin"),
            (
                "pkcs11:token=a?module-name=x&pin-source=file:/etc/pin",
                "pkcs11:token=a?module-name=x",
                "/etc/pin",
            ),
            ("pkcs11:token=a?PIN-Source=file:///etc/my%20pin&x=y", "pkcs11:token=a?x=y", "/etc/my pin"),
            ("pkcs11:token=a?pin%2dsource=file://localhost/p", "pkcs11:token=a", "/p"),
            ("pkcs11:token=a;pin-source=%2Fp;type=private", "pkcs11:token=a;type=private", "/p"),
        ] {
            assert_eq!(take(uri).unwrap(), (rest.to_owned(), Some(PathBuf::from(path))), "{uri}");
        }
        for uri in ["pkcs11:token=a;object=pin-source", "pkcs11:", "pkcs11:token=a?module-name=x"] {
            assert_eq!(take(uri).unwrap(), (uri.to_owned(), None));
        }
    }

    #[test]
    fn what_is_not_one_file_is_refused_and_not_repeated() {
        for (value, words) in [
            ("|/usr/bin/get%20secret", "a command"),
            ("secret1234", "something else"),
            ("file:secret/pin", "something else"),
            ("file://secret/pin", "something else"),
            ("https://secret/pin", "something else"),
            ("", "empty"),
            ("/a%00b", "something else"),
            ("/secret&pin-source=/b", "more than once"),
        ] {
            let error = take(&format!("pkcs11:token=a?pin-source={value}")).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        }
    }
}
