//! Writing an index.

use super::EntryBuf;

/// Collects entries in any order; gives sorted text.
#[derive(Default)]
pub struct IndexWriter {}

impl IndexWriter {
    /// Adds an entry.
    pub fn push(&mut self, _entry: EntryBuf) {
        todo!()
    }
    /// The text, sorted by path bytes.
    pub fn finish(self) -> Vec<u8> {
        todo!()
    }
}
