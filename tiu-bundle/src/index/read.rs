//! An index that was read.

use super::Entry;
use super::block::OpenBlock;
use super::blocks::{Blocks, Lines};
use super::line::is_link;
use crate::content_digest::Digest;
use std::borrow::Cow;
use tiu_system::path::TreePath;

/// A checked index.
///
/// Its lines are kept compressed, about 40 bytes for each regular file, most of that its digest.
/// The blocks of lines that were used last stay open, so that what is near costs little. Equal
/// blocks of two indexes are in memory once.
#[derive(Clone)]
pub struct Index {
    blocks: Blocks,
    text_size: u64,
    content_size: u64,
}

impl Index {
    pub(super) fn new(blocks: Blocks, text_size: u64, content_size: u64) -> Self {
        Index { blocks, text_size, content_size }
    }

    /// Returns the number of entries, hard links and the root included.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Returns false: an index has at least its root.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Returns entry `i` in path order.
    ///
    /// # Panics
    /// If `i` is not less than [`len`](Self::len).
    pub fn entry(&self, i: usize) -> Entry<'_> {
        let Some(entry) = self.blocks.entry(i) else {
            panic!("entry {i} of an index of {} entries", self.len());
        };
        entry
    }

    /// Returns all entries in path order, parents before their children.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> + '_ {
        Entries(self.blocks.lines(0))
    }

    /// Returns the number of the entry at `path`, by binary search.
    pub fn find(&self, path: &TreePath) -> Option<usize> {
        let (at, found) = self.blocks.search(path.as_bytes());
        found.then_some(at)
    }

    /// Returns the numbers of the entries, hard links too, whose content has a digest that `wanted`
    /// accepts. Looks at the digests alone, except where it finds one. Leaves out empty files.
    pub fn with_digests<'a>(
        &'a self,
        wanted: impl Fn(&Digest) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = usize> + 'a {
        let line = move |block: &OpenBlock, i: usize| {
            block.line(i).and_then(|(_, digest)| digest).is_some_and(|digest| wanted(&digest))
        };
        self.blocks.select(move |block| block.digests.iter().any(wanted), line)
    }

    /// Returns the numbers of the hard links: of an inode's names all but the first. Looks only at
    /// the parts of the index that have some.
    pub fn hard_link_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let line = |block: &OpenBlock, i: usize| block.line(i).is_some_and(|(line, _)| is_link(line));
        self.blocks.select(|block| block.has_links, line)
    }

    /// Returns the number of the first entry whose path is not before `path`.
    pub(super) fn first_from(&self, path: &[u8]) -> usize {
        self.blocks.search(path).0
    }

    /// Returns the entry that carries the kind and the content of `entry`: the inode of a hard
    /// link, and `entry` itself otherwise.
    pub fn inode_of<'a>(&'a self, entry: &'a Entry<'a>) -> Cow<'a, Entry<'a>> {
        match entry.link.as_deref().and_then(|inode| self.find(inode)) {
            Some(inode) => Cow::Owned(self.entry(inode)),
            None => Cow::Borrowed(entry),
        }
    }

    /// Returns the size of the text in bytes.
    pub fn text_size(&self) -> u64 {
        self.text_size
    }

    /// Returns the sum of the sizes of regular files in bytes, each inode counted once: `size` of
    /// the manifest.
    pub fn content_size(&self) -> u64 {
        self.content_size
    }

    /// Returns the lines, for what needs more than entries.
    pub(super) fn blocks(&self) -> &Blocks {
        &self.blocks
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index of {} entries", self.len())
    }
}

/// The entries of an index, one after the other.
struct Entries<'a>(Lines<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (block, line) = self.0.advance()?;
        block.entry(line)
    }
}
