//! The entries in which two indexes differ.

use super::block::OpenBlock;
use super::blocks::Blocks;
use super::escape::Unescaped;
use super::{Entry, Index};
use std::cmp::Ordering;
use std::sync::Arc;

/// An older and a newer entry of the same path, of which one can be missing.
pub type EntryPair<'a> = (Option<Entry<'a>>, Option<Entry<'a>>);

impl Index {
    /// Returns the entries that differ, in path order: of each path what it is here, and what it is
    /// in `newer`. An entry that only one of them has comes alone.
    ///
    /// Skips blocks of lines that both have. What is left takes time in proportion to what differs,
    /// where that lies together.
    pub fn differing<'a>(&'a self, newer: &'a Index) -> impl Iterator<Item = EntryPair<'a>> + 'a {
        Differing { older: Side::new(self.blocks()), newer: Side::new(newer.blocks()) }
    }
}

struct Differing<'a> {
    older: Side<'a>,
    newer: Side<'a>,
}

impl<'a> Iterator for Differing<'a> {
    type Item = EntryPair<'a>;

    fn next(&mut self) -> Option<EntryPair<'a>> {
        let Differing { older, newer } = self;
        loop {
            if older.is_at_same_block(newer) {
                older.skip_block();
                newer.skip_block();
                continue;
            }
            let order = match (older.path(), newer.path()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) if a.contains(&b'\\') || b.contains(&b'\\') => {
                    Unescaped(a).cmp(Unescaped(b))
                }
                (Some(a), Some(b)) => a.cmp(b),
            };
            match order {
                Ordering::Less => return Some((older.take(), None)),
                Ordering::Greater => return Some((None, newer.take())),
                Ordering::Equal if older.line() == newer.line() => {
                    older.line += 1;
                    newer.line += 1;
                }
                Ordering::Equal => return Some((older.take(), newer.take())),
            }
        }
    }
}

/// A line of an index, from which one moves on.
struct Side<'a> {
    blocks: &'a Blocks,
    /// The number of the block.
    block: usize,
    /// The number of the line in the block.
    line: usize,
    open: Option<OpenBlock>,
}

impl<'a> Side<'a> {
    fn new(blocks: &'a Blocks) -> Self {
        Side { blocks, block: 0, line: 0, open: None }
    }

    fn is_at_same_block(&mut self, other: &mut Side) -> bool {
        self.leave_block();
        other.leave_block();
        let block = |side: &Side| Some(side.blocks.list().get(side.block)?.block.clone());
        let both = || block(self).zip(block(other));
        self.line == 0 && other.line == 0 && both().is_some_and(|(a, b)| Arc::ptr_eq(&a, &b))
    }

    /// Moves on to the next block, if all lines of this one were read.
    fn leave_block(&mut self) {
        if self.open.as_ref().is_some_and(|open| self.line >= open.len()) {
            self.skip_block();
        }
    }

    fn skip_block(&mut self) {
        (self.block, self.line, self.open) = (self.block + 1, 0, None);
    }

    /// Returns the line, and its digest if that is not in it.
    fn line(&mut self) -> Option<(&[u8], Option<crate::content_digest::Digest>)> {
        if self.open.is_none() {
            self.open = self.blocks.list().get(self.block).map(|block| block.block.open());
        }
        self.open.as_ref()?.line(self.line)
    }

    /// Returns the path of the line, as the text has it.
    fn path(&mut self) -> Option<&[u8]> {
        self.line().and_then(|(line, _)| line.split(|c| *c == b' ').next())
    }

    /// Returns the entry of the line, and moves on.
    fn take(&mut self) -> Option<Entry<'a>> {
        let entry = self.open.as_ref()?.entry(self.line);
        self.line += 1;
        entry
    }
}
