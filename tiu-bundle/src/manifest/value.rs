//! The values that a manifest can have.

use super::ManifestError;
use super::keyfile::shown;
use crate::sha256::from_hex;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu_system::text::is_unprintable;

/// The characters that a value can have.
#[derive(Clone, Copy)]
pub(super) enum Characters {
    /// Everything that can be shown.
    Printable,
    /// Those that package managers allow in versions, so that a version can be part of a file's
    /// name, of snapper's userdata or of a boot entry without any quoting.
    Version,
    /// `uname -m`.
    Arch,
    /// `ID` of os-release(5).
    OsId,
    /// A directory under `/usr/lib/modules`.
    KernelVersion,
}

impl Characters {
    fn allows(self, c: char) -> bool {
        let alphanumeric = c.is_ascii_alphanumeric();
        match self {
            Characters::Printable => !is_unprintable(c),
            Characters::Version => alphanumeric || ".:+~^_-".contains(c),
            Characters::Arch => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
            Characters::OsId => c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c),
            Characters::KernelVersion => alphanumeric || ".+~_-".contains(c),
        }
    }

    fn described(self) -> &'static str {
        match self {
            Characters::Printable => "no control characters and no invisible ones",
            Characters::Version => "only letters, digits and . : + ~ ^ _ -",
            Characters::Arch => "only a-z, 0-9 and _",
            Characters::OsId => "only a-z, 0-9 and . _ -",
            Characters::KernelVersion => "only letters, digits and . + ~ _ -",
        }
    }
}

/// Reads a text of 1 to `max` bytes.
pub(super) fn text(
    key: &'static str,
    value: &str,
    max: usize,
    characters: Characters,
) -> Result<String, ManifestError> {
    if value.is_empty() {
        return Err(ManifestError::Empty(key));
    }
    if value.len() > max {
        return Err(ManifestError::TooLong { key, found: value.len(), max });
    }
    match value.chars().find(|c| !characters.allows(*c)) {
        Some(found) => Err(ManifestError::BadCharacter { key, found, allowed: characters.described() }),
        None => Ok(value.to_owned()),
    }
}

/// Reads the name of a file.
pub(super) fn file_name(
    key: &'static str,
    value: &str,
    max: usize,
    characters: Characters,
) -> Result<String, ManifestError> {
    match text(key, value, max, characters)? {
        name if name == "." || name == ".." => Err(ManifestError::BadName { key, found: name }),
        name => Ok(name),
    }
}

/// Reads a decimal number without sign or leading zeros.
pub(super) fn number(key: &'static str, value: &str, min: u64, max: u64) -> Result<u64, ManifestError> {
    let digits = value.bytes().all(|c| c.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    let number = value.parse().ok().filter(|n| digits && (min..=max).contains(n));
    number.ok_or_else(|| ManifestError::BadNumber { key, found: shown(value), min, max })
}

/// Reads 32 bytes in hex digits.
pub(super) fn hex(key: &'static str, value: &str) -> Result<[u8; 32], ManifestError> {
    from_hex(value.as_bytes()).ok_or_else(|| ManifestError::BadHex { key, found: shown(value) })
}

/// Reads a time in UTC, and keeps it as it is written.
pub(super) fn time(key: &'static str, value: &str) -> Result<String, ManifestError> {
    let utc = value.ends_with('Z') && OffsetDateTime::parse(value, &Rfc3339).is_ok();
    if utc && value.bytes().all(|c| c.is_ascii_digit() || b"-:.TZ".contains(&c)) {
        Ok(value.to_owned())
    } else {
        Err(ManifestError::BadTime { key, found: shown(value) })
    }
}
