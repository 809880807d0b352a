//! Reading an index: strict, bounded, one pass.

use super::Entry;
use crate::content_digest::Digest;
use crate::hint::Hint;
use std::io::Read;

/// Longest text that is read, in bytes (the sizes in a signed manifest bound it further).
pub const MAX_TEXT_SIZE: u64 = 1 << 30;
/// Most entries that are read.
pub const MAX_ENTRIES: u64 = 4_000_000;

/// Why an index was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Placeholder until the reader is written.
    #[error("line {line} of the index: {message}")]
    Invalid {
        /// Line number from 1.
        line: u64,
        /// Why.
        message: String,
    },
}

impl Hint for IndexError {
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A checked index.
pub struct Index {}

impl Index {
    /// Checks `text`, which is kept.
    pub fn parse(_text: Vec<u8>) -> Result<Self, IndexError> {
        todo!()
    }
    /// Decompresses (bounded by `max_entries` and by [`MAX_TEXT_SIZE`]), compares the SHA-256 of the text with `expected`, checks it.
    pub fn read_zst(_reader: impl Read, _expected: &Digest, _entries: u64) -> Result<Self, IndexError> {
        todo!()
    }
    /// Number of entries, hard links and the root included.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// An index has at least its root.
    pub fn is_empty(&self) -> bool {
        false
    }
    /// Entry `i` in path order.
    pub fn entry(&self, _i: usize) -> Entry<'_> {
        todo!()
    }
    /// All entries in path order (parents before their children).
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> + '_ {
        (0..self.len()).map(|i| self.entry(i))
    }
    /// Number of the entry at `path` (relative, without leading slash), by binary search.
    pub fn find(&self, _path: &[u8]) -> Option<usize> {
        todo!()
    }
    /// The text, as it was signed.
    pub fn text(&self) -> &[u8] {
        todo!()
    }
}
