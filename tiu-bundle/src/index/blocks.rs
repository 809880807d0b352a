//! All lines of an index, in blocks. The few blocks that were used last are open.

use super::block::{Block, OpenBlock};
use super::{Entry, shared};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of blocks that stay open.
const OPEN: usize = 24;

/// The lines of an index.
#[derive(Default)]
pub(super) struct Blocks {
    list: Vec<NumberedBlock>,
    len: usize,
    /// The last ones that were used; the latest is the last.
    open: Mutex<Vec<(usize, Arc<OpenBlock>)>>,
}

#[derive(Clone)]
pub(super) struct NumberedBlock {
    /// The number of its first line.
    pub start: usize,
    pub block: Arc<Block>,
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        Blocks { list: self.list.clone(), len: self.len, open: Mutex::default() }
    }
}

impl Blocks {
    /// Adds a block of `lines` lines.
    pub fn push(&mut self, block: Block, lines: usize) {
        self.list.push(NumberedBlock { start: self.len, block: shared::shared(block) });
        self.len += lines;
    }

    /// Returns the number of lines.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the blocks in the order of their lines.
    pub fn list(&self) -> &[NumberedBlock] {
        &self.list
    }

    /// Returns the numbers of the lines of block `at`.
    pub fn range(&self, at: usize) -> Range<usize> {
        let start = |at: usize| self.list.get(at).map_or(self.len, |block| block.start);
        start(at)..start(at + 1)
    }

    /// Returns the number of the block with line `i`.
    fn block_of(&self, i: usize) -> usize {
        self.list.partition_point(|block| block.start <= i).saturating_sub(1)
    }

    /// Returns the lines of block `at`.
    fn open(&self, at: usize) -> Option<Arc<OpenBlock>> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut open = lock();
            if let Some(found) = open.iter().rposition(|(other, _)| *other == at) {
                let found = open.remove(found);
                let block = found.1.clone();
                open.push(found);
                return Some(block);
            }
        }
        let block = Arc::new(self.list.get(at)?.block.open());
        let mut open = lock();
        if open.len() >= OPEN {
            open.remove(0);
        }
        open.push((at, block.clone()));
        Some(block)
    }

    /// Returns entry `i`.
    pub fn entry(&self, i: usize) -> Option<Entry<'static>> {
        let at = self.block_of(i);
        self.open(at)?.entry(i - self.range(at).start)
    }

    /// Returns the number of the first line whose path is not before `path`, and true if it is
    /// `path`.
    pub fn search(&self, path: &[u8]) -> (usize, bool) {
        let at = self.list.partition_point(|block| *block.block.first <= *path);
        let Some(at) = at.checked_sub(1) else { return (0, false) };
        let (line, found) = self.open(at).map_or((0, false), |block| block.search(path));
        (self.range(at).start + line, found)
    }

    /// Returns the numbers of the lines that `line` accepts, in the blocks that `block` accepts. The
    /// others are not opened.
    pub fn select<'a>(
        &'a self,
        block: impl Fn(&Block) -> bool + 'a,
        line: impl Fn(&OpenBlock, usize) -> bool + 'a,
    ) -> impl Iterator<Item = usize> + 'a {
        let chosen = self.list.iter().enumerate().filter(move |(_, numbered)| block(&numbered.block));
        chosen.flat_map(move |(at, numbered)| {
            // The caller asks for these entries next.
            let open = self.open(at);
            let accepted = |open: Arc<OpenBlock>| (0..open.len()).filter(|i| line(&open, *i)).collect();
            let lines: Vec<usize> = open.map(accepted).unwrap_or_default();
            lines.into_iter().map(|i| numbered.start + i)
        })
    }

    /// Returns all lines from line `start` on. Opens one block at a time, and leaves the others as
    /// they are.
    pub fn lines(&self, start: usize) -> Lines<'_> {
        Lines { blocks: self, next: start, block: 0..0, open: None }
    }
}

/// The lines of an index, one after the other.
pub(super) struct Lines<'a> {
    blocks: &'a Blocks,
    next: usize,
    /// The numbers of the lines of the open block.
    block: Range<usize>,
    open: Option<OpenBlock>,
}

impl Lines<'_> {
    /// Moves on to the next line. Returns its block and its number there.
    pub fn advance(&mut self) -> Option<(&OpenBlock, usize)> {
        if !self.block.contains(&self.next) {
            let at = self.blocks.block_of(self.next);
            self.block = self.blocks.range(at);
            if !self.block.contains(&self.next) {
                return None;
            }
            self.open = self.blocks.list.get(at).map(|block| block.block.open());
        }
        let line = self.next - self.block.start;
        self.next += 1;
        Some((self.open.as_ref()?, line))
    }
}
