//! One file of each side.

use super::file::{File, Files};
use super::note::Note;
use super::table::Table;

/// One file of each side.
pub(super) struct Three<'a> {
    pub file: File,
    pub base: Option<Table<'a>>,
    pub host: Table<'a>,
    pub image: Table<'a>,
    /// Whether the host has the file.
    pub there: bool,
    /// Whether the image has the file.
    pub shipped: bool,
    /// Whether nothing may be added.
    pub closed: bool,
}

impl Three<'_> {
    /// Whether the image that the base was made from had the name.
    pub fn base_had(&self, name: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.find(name).is_some())
    }

    pub fn note_broken(&self, notes: &mut Vec<Note>) {
        notes.extend(self.host.broken().map(|line| Note::broken(self.file, "host", line, "stays as it is")));
        notes.extend(broken_of_image(self.file, &self.image));
    }
}

fn broken_of_image(file: File, table: &Table) -> Vec<Note> {
    table.broken().map(|line| Note::broken(file, "image", line, "does not come")).collect()
}

/// Notes about lines of an image's files that cannot be read: for whoever gives [`merge`] something that was made of them.
pub fn broken(files: &Files) -> Vec<Note> {
    files.iter().flat_map(|(file, text)| broken_of_image(*file, &Table::parse(*file, text))).collect()
}

/// The host's table with what came.
pub(super) fn put(three: Three, files: &mut Files) {
    let text = three.host.to_bytes();
    if three.there || three.shipped || !text.is_empty() {
        files.insert(three.file, text);
    }
}

/// Whether a password field says that there is none, with nothing behind that could be unlocked.
pub(super) fn is_locked(password: &[u8]) -> bool {
    !password.is_empty() && password.iter().all(|c| matches!(c, b'!' | b'*'))
}
