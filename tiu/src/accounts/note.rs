//! Notes for the administrator about a merge of accounts.

use super::file::AccountFile;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The subject of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A new entry was added from the image.
    Added,
    /// An entry was added without the password or the shell that it has in the image.
    Disarmed,
    /// An entry was added with another number, because its own belongs to another name on the host.
    Renumbered,
    /// The image's files get the host's number of the name.
    Mapped,
    /// An entry of the image is not added.
    Refused,
    /// An entry that the administrator removed is not added again.
    StaysAway,
    /// The image no longer has the entry; the host's stays.
    Dropped,
    /// A user became a member of a group.
    Member,
    /// The image changed an entry; the host's stays as it is.
    Unlike,
    /// Subordinate numbers were added with other values, because the image's are taken.
    Moved,
    /// Files of the image belong to a number that has no name in the image, but has one on the
    /// host.
    Nameless,
    /// A line that cannot be read.
    Broken,
    /// Ranges of subordinate numbers overlap on the host.
    Overlap,
}

/// A note for the administrator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// The subject.
    pub what: NoteKind,
    /// Path of the file in the tree.
    pub file: String,
    /// The name of the entry, or the number of the line.
    pub name: String,
    /// The text of the note.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}: {}: {}", self.file, self.name, self.text)
    }
}

impl Note {
    /// Makes a note about an entry.
    pub(super) fn new(what: NoteKind, file: AccountFile, name: &[u8], text: impl Into<String>) -> Self {
        Note { what, file: file.path().to_string(), name: shown(name), text: text.into() }
    }

    /// Makes a note about line `line`, counted from 1, which cannot be read.
    pub(super) fn broken(file: AccountFile, whose: &str, line: usize, text: &str) -> Self {
        let text = format!("the {whose}'s line is not an entry and {text}");
        Note { what: NoteKind::Broken, file: file.path().to_string(), name: format!("line {line}"), text }
    }
}

/// Returns a name with special characters escaped.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().flat_map(char::escape_default).collect()
}
