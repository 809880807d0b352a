//! One account file as all three sides have it.

use super::file::{AccountFile, AccountFiles};
use super::note::Note;
use super::table::Table;

/// One account file of all three sides.
pub(super) struct ThreeTables<'a> {
    pub file: AccountFile,
    pub base: Option<Table<'a>>,
    pub host: Table<'a>,
    pub image: Table<'a>,
    /// True if the host has the file.
    pub there: bool,
    /// True if the image has the file.
    pub shipped: bool,
    /// True if nothing may be added.
    pub closed: bool,
}

impl ThreeTables<'_> {
    /// Returns whether the image that the base was made from had the name.
    pub fn base_had(&self, name: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.find(name).is_some())
    }

    /// Adds a note about each line of the host or the image that cannot be read.
    pub fn note_broken(&self, notes: &mut Vec<Note>) {
        notes.extend(self.host.broken().map(|line| Note::broken(self.file, "host", line, "stays as it is")));
        notes.extend(broken_of_image(self.file, &self.image));
    }
}

fn broken_of_image(file: AccountFile, table: &Table) -> Vec<Note> {
    table.broken().map(|line| Note::broken(file, "image", line, "is not added")).collect()
}

/// Returns notes about lines of an image's files that cannot be read, for callers that give
/// [`merge`](super::merge()) files that were made from them.
pub fn broken_lines(files: &AccountFiles) -> Vec<Note> {
    files.iter().flat_map(|(file, text)| broken_of_image(*file, &Table::parse(*file, text))).collect()
}

/// Puts the host's table into `files`, with the entries that were added.
pub(super) fn put_result(tables: ThreeTables, files: &mut AccountFiles) {
    let text = tables.host.to_bytes();
    if tables.there || tables.shipped || !text.is_empty() {
        files.insert(tables.file, text);
    }
}

/// Returns whether a password field holds no password and nothing that could be unlocked.
pub(super) fn is_locked(password: &[u8]) -> bool {
    !password.is_empty() && password.iter().all(|c| matches!(c, b'!' | b'*'))
}
