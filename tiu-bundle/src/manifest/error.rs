//! The errors of a manifest.

use super::version::FORMAT;
use tiu_system::hints;

/// A manifest that is not accepted. Lines are counted from 1; keys are named `[group] key`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum ManifestError {
    /// Not text.
    #[error("the manifest is not UTF-8 text, from byte {offset} on")]
    NotText {
        /// The end of the text, as an offset in bytes.
        offset: usize,
    },
    /// Neither a group, nor a key with a value, nor a comment.
    #[error(
        "line {line} of the manifest is {text:?}, expected `[group]`, `key=value` without spaces around, or `# comment`"
    )]
    BadLine {
        line: usize,
        /// The line, cut after 200 characters.
        text: String,
    },
    /// A key before the first group.
    #[error("line {line} of the manifest, {text:?}, comes before the first [group]")]
    NoGroup {
        line: usize,
        /// The line, cut after 200 characters.
        text: String,
    },
    /// The same group twice.
    #[error("line {line} of the manifest: the group [{group}] appears twice")]
    GroupTwice { line: usize, group: String },
    /// The same key twice.
    #[error("line {line} of the manifest: {key} appears twice")]
    KeyTwice { line: usize, key: String },
    /// An unknown group.
    #[error(
        "line {line} of the manifest: the group [{group}] is unknown, expected [update], [bundle], \
         [meta.tiu] or [meta.*]"
    )]
    UnknownGroup { line: usize, group: String },
    /// An unknown key.
    #[error("line {line} of the manifest: {key} is unknown")]
    UnknownKey { line: usize, key: String },
    /// A missing group.
    #[error("the manifest has no group [{0}]")]
    MissingGroup(&'static str),
    /// A missing key.
    #[error("the manifest has no {0}")]
    MissingKey(&'static str),
    /// A backslash that is not one of GLib's escapes.
    #[error(
        "line {line} of the manifest: the value {value:?} has a backslash that is not one of \\s \\n \\t \\r \\\\"
    )]
    BadEscape {
        line: usize,
        /// The value, cut after 200 characters.
        value: String,
    },
    /// A newer format.
    #[error("the bundle has format {found}, this version of tiu reads formats up to {FORMAT}")]
    FutureFormat { found: u32 },
    /// A RAUC bundle of another format.
    #[error("[bundle] format is {0:?}, expected \"verity\"")]
    NotVerity(String),
    /// An empty value.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A value that is too long.
    #[error("{key} is {found} bytes long, at most {max}")]
    TooLong { key: &'static str, found: usize, max: usize },
    /// A character that the value cannot have.
    #[error("{key} has the character {found:?}, expected {allowed}")]
    BadCharacter {
        key: &'static str,
        /// The first bad character.
        found: char,
        /// The characters that the value can have.
        allowed: &'static str,
    },
    /// A name that means a directory.
    #[error("{key} is {found:?}, which is not the name of a file")]
    BadName { key: &'static str, found: String },
    /// Not a number, or out of range.
    #[error("{key} is {found:?}, expected a decimal number from {min} to {max}")]
    BadNumber { key: &'static str, found: String, min: u64, max: u64 },
    /// Not 64 lower-case hex digits.
    #[error("{key} is {found:?} ({} characters), expected 64 lower-case hex digits", found.chars().count())]
    BadHex { key: &'static str, found: String },
    /// No hash tree has this size.
    #[error("[bundle] verity-size is {0}, expected a multiple of 4096 that is not 0")]
    BadVeritySize(u64),
    /// Not a time in UTC.
    #[error("{key} is {found:?}, expected a time in UTC like 2026-01-31T12:00:00Z (RFC 3339)")]
    BadTime { key: &'static str, found: String },
}

hints! { ManifestError {
    FutureFormat { .. } => "update tiu on this host first",
    MissingGroup("meta.tiu") | NotVerity(_) =>
        "this is a RAUC bundle that was not made for tiu: make one with `tiu-create pack`",
    UnknownGroup { .. } => "tiu has no hooks, handlers or slots: make the bundle with `tiu-create pack`",
    _ => "correct the recipe, or pack the bundle again with `tiu-create pack`",
} }
