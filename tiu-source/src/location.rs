//! The text that names a bundle.

use crate::location_error::LocationError;
use crate::url::{Url, percent_decoded, redacted};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The place of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file or a block device.
    Path(PathBuf),
    /// A web server.
    Url(Url),
    /// Standard input.
    StandardInput,
}

impl Location {
    /// Reads a location: `-`, a URL, or a path.
    pub fn parse(text: &OsStr) -> Result<Self, LocationError> {
        if text == "-" {
            return Ok(Location::StandardInput);
        }
        let Some((scheme, rest)) = scheme(text.as_bytes()) else { return Ok(Location::Path(text.into())) };
        let shown = || redacted(&text.to_string_lossy());
        match &scheme[..] {
            "http" | "https" => match text.to_str() {
                Some(text) => Ok(Location::Url(Url::parse(text)?)),
                None => Err(LocationError::Malformed { shown: shown(), reason: "it is not UTF-8".into() }),
            },
            "file" => file(rest).ok_or_else(|| LocationError::Malformed {
                shown: shown(),
                reason: "expected file:///PATH, without the name of another host".into(),
            }),
            _ => Err(LocationError::Scheme { shown: shown(), scheme }),
        }
    }

    /// Returns the path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Location::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Location::Path(path)
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Location::Path(path.to_owned())
    }
}

/// As messages and records show it: without a password, and without the query of a URL, which can
/// be a secret too.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Path(path) => path.display().fmt(f),
            Location::Url(url) => url.fmt(f),
            Location::StandardInput => f.write_str("standard input"),
        }
    }
}

/// Returns the scheme in small letters, and the text after `://`.
fn scheme(text: &[u8]) -> Option<(String, &[u8])> {
    let end = text.windows(3).position(|part| part == b"://")?;
    let (scheme, rest) = text.split_at(end);
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !scheme.first()?.is_ascii_alphabetic() || !scheme.iter().all(valid) {
        return None;
    }
    Some((String::from_utf8_lossy(scheme).to_ascii_lowercase(), rest.get(3..)?))
}

/// Returns the path of a `file` URL.
fn file(rest: &[u8]) -> Option<Location> {
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (host, path) = rest.split_at(slash);
    let path = percent_decoded(path)?;
    let local = host.is_empty() || host.eq_ignore_ascii_case(b"localhost");
    (local && !path.contains(&0)).then(|| Location::Path(OsString::from_vec(path).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Location, String> {
        Location::parse(text.as_ref()).map_err(|e| e.to_string())
    }

    #[test]
    fn text_without_a_scheme_is_a_path() {
        for text in ["system.tiu", "/a/b", "./http://x", "a:b", "://x", "1a://x", "/x/y://z", ""] {
            assert_eq!(parsed(text), Ok(Location::Path(text.into())), "{text}");
        }
        assert_eq!(parsed("-"), Ok(Location::StandardInput));
        assert_eq!(parsed("./-"), Ok(Location::Path("./-".into())));
    }

    #[test]
    fn a_file_url_is_a_path_on_this_host() {
        let path = |text: &str| Ok(Location::Path(text.into()));
        assert_eq!(parsed("file:///srv/a%20b.tiu"), path("/srv/a b.tiu"));
        assert_eq!(parsed("FILE://localhost/x"), path("/x"));
        for text in
            ["file://server/x", "file://", "file:///a%0", "file:///a%zz", "file:///a%+1", "file:///a%00"]
        {
            assert!(parsed(text).unwrap_err().ends_with("without the name of another host"), "{text}");
        }
    }

    #[test]
    fn other_schemes_are_refused_without_their_password() {
        let error = parsed("ftp://me:secret@example.org/x").unwrap_err();
        assert_eq!(
            error,
            "ftp://example.org/x: the scheme `ftp` is not supported, expected http, https or file"
        );
    }
}
