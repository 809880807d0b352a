//! What an administrator should know of a merge of accounts.

use super::file::File;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A new entry came from the image.
    Added,
    /// It came without the password or the shell that it has in the image.
    Disarmed,
    /// It came with another number, because its own is somebody else's on the host.
    Renumbered,
    /// The image's files get the host's number of that name.
    Mapped,
    /// An entry of the image does not come.
    Refused,
    /// An entry that the administrator removed does not come back.
    StaysAway,
    /// The image has no such entry any more; the host's stays.
    Dropped,
    /// A user became a member of a group.
    Member,
    /// The image changed an entry; the host's stays as it is.
    Unlike,
    /// Subordinate numbers came with other values, because theirs are taken.
    Moved,
    /// Files of the image belong to a number that has no name in the image, and one on the host.
    Nameless,
    /// A line that cannot be read.
    Broken,
    /// Ranges of subordinate numbers that overlap on the host.
    Overlap,
}

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub what: What,
    /// Where: a path without the leading slash.
    pub file: String,
    /// Whom: a name, or the number of a line.
    pub name: String,
    /// In words.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}: {}: {}", self.file, self.name, self.text)
    }
}

impl Note {
    /// About an entry.
    pub(super) fn new(what: What, file: File, name: &[u8], text: impl Into<String>) -> Self {
        Note { what, file: file.path().to_owned(), name: shown(name), text: text.into() }
    }

    /// About a line, counted from 1.
    pub(super) fn broken(file: File, whose: &str, line: usize, text: &str) -> Self {
        let text = format!("the {whose}'s is no entry, and {text}");
        Note { what: What::Broken, file: file.path().to_owned(), name: format!("line {line}"), text }
    }
}

/// A name for people.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().flat_map(char::escape_default).collect()
}
