//! Checks the lines of an index in order, and collects them: strict, bounded, one pass, in time
//! linear in their size.

use super::block::BlockBuilder;
use super::blocks::Blocks;
use super::error::{LineError, shown};
use super::limits::{MAX_ENTRIES, MAX_LINE_SIZE, MAX_TEXT_SIZE};
use super::line::{Fields, path_text};
use super::steps;
use super::{Entry, Index, IndexError, Kind};
use crate::content_digest::Digest;
use std::cmp::Ordering;
use std::collections::HashMap;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::text::printable;

impl Index {
    /// Checks `text`. Memory besides the index: a few bytes for each inode of many names.
    pub fn parse(text: Vec<u8>) -> Result<Self, IndexError> {
        if text.len() as u64 > MAX_TEXT_SIZE {
            return Err(IndexError::TooLarge { limit: MAX_TEXT_SIZE });
        }
        let mut checker = Checker::new();
        checker.feed(&text)?;
        drop(text);
        checker.finish()
    }
}

/// Checks lines in order. Memory besides the blocks grows with the inodes of many names alone.
pub(super) struct Checker {
    blocks: Blocks,
    builder: BlockBuilder,
    /// The number of lines so far.
    entries: usize,
    text_size: u64,
    content_size: u64,
    /// The beginning of a line whose end did not come yet.
    partial: Vec<u8>,
    previous: TreePathBuf,
    /// All earlier paths that are a prefix of the previous path, itself included, by length. In
    /// sorted order whatever is a prefix of a path is still in here when that path comes, so the
    /// parent is found without a map of all directories.
    prefixes: Vec<Prefix>,
    /// Inodes whose number of links is not one, by path.
    linked: HashMap<TreePathBuf, LinkedInode>,
}

/// A path that is a prefix (by bytes) of the current one; one of them is its parent.
struct Prefix {
    len: usize,
    kind: Kind,
}

struct LinkedInode {
    /// The number of its line.
    line: usize,
    /// The number of links that it says.
    nlink: u32,
    /// The number of names so far.
    names: u32,
    /// A hash of what its names have in common.
    hash: Digest,
}

impl Checker {
    pub fn new() -> Self {
        Checker {
            blocks: Blocks::default(),
            builder: BlockBuilder::new(),
            entries: 0,
            text_size: 0,
            content_size: 0,
            partial: Vec::new(),
            previous: TreePathBuf::default(),
            prefixes: Vec::new(),
            linked: HashMap::new(),
        }
    }

    /// Adds a piece of text, which can end anywhere.
    pub fn feed(&mut self, text: &[u8]) -> Result<(), IndexError> {
        for part in text.split_inclusive(|c| *c == b'\n') {
            if self.partial.is_empty() && part.ends_with(b"\n") {
                self.whole_line(part)?;
                continue;
            }
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let mut line = std::mem::take(&mut self.partial);
                self.whole_line(&line)?;
                line.clear();
                self.partial = line;
            } else {
                self.check_size(self.partial.len())?;
            }
        }
        Ok(())
    }

    /// Returns the index, if the text ends here.
    pub fn finish(mut self) -> Result<Index, IndexError> {
        if !self.partial.is_empty() {
            self.check_size(self.partial.len())?;
            return Err(IndexError::CutText { line: self.entries as u64 + 1 });
        }
        if self.entries == 0 {
            return Err(IndexError::Empty);
        }
        let first_wrong = self
            .linked
            .iter()
            .filter(|(_, inode)| inode.nlink != inode.names)
            .min_by_key(|(_, inode)| inode.line);
        if let Some((path, LinkedInode { line, nlink, names, .. })) = first_wrong {
            return Err(IndexError::Line {
                line: *line as u64 + 1,
                path: printable(&shown(&path_text(path))),
                problem: LineError::LinkCount { names: *names, nlink: *nlink },
            });
        }
        self.keep_last();
        Ok(Index::new(self.blocks, self.text_size, self.content_size))
    }

    /// Checks the number and the length of the line that comes next.
    fn check_size(&self, len: usize) -> Result<(), IndexError> {
        let number = self.entries as u64 + 1;
        if number > MAX_ENTRIES {
            return Err(IndexError::TooManyEntries { found: number, limit: MAX_ENTRIES });
        }
        if len > MAX_LINE_SIZE {
            return Err(IndexError::LineTooLong { line: number, limit: MAX_LINE_SIZE });
        }
        Ok(())
    }

    /// Adds a line with its newline.
    fn whole_line(&mut self, line: &[u8]) -> Result<(), IndexError> {
        self.check_size(line.len())?;
        self.text_size += line.len() as u64;
        self.line(line.strip_suffix(b"\n").unwrap_or(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), IndexError> {
        let number = self.entries;
        let wrong = |problem| IndexError::Line {
            line: number as u64 + 1,
            path: printable(&shown(line.split(|c| *c == b' ').next().unwrap_or_default())),
            problem,
        };
        let fields = Fields::split(line).map_err(wrong)?;
        if number == 0 && fields.path != b"/" {
            return Err(IndexError::NoRoot { found: shown(fields.path) });
        }
        let entry = fields.entry().map_err(wrong)?;
        let kind = fields.inode_kind().map_err(wrong)?;
        if number == 0 && entry.kind != Kind::Dir {
            return Err(wrong(LineError::RootNotDir(entry.kind)));
        }
        if number > 0 {
            self.order_and_parent(&entry).map_err(wrong)?;
        }
        match &entry.link {
            Some(link) => self.link(&fields, link, &entry).map_err(wrong)?,
            _ if kind != Kind::Dir && entry.nlink != 1 => {
                let hash = fields.inode_hash();
                let inode = LinkedInode { line: number, nlink: entry.nlink, names: 1, hash };
                self.linked.insert(entry.path.as_ref().to_owned(), inode);
            }
            _ => {}
        }
        if entry.kind == Kind::File {
            self.content_size = self.content_size.saturating_add(entry.size);
        }
        self.prefixes.push(Prefix { len: entry.path.as_bytes().len(), kind });
        entry.path.as_ref().clone_into(&mut self.previous);
        if let Some(block) = self.builder.push(entry.path.as_bytes(), line, &fields) {
            self.blocks.push(block, self.entries - self.blocks.len());
        }
        self.entries += 1;
        Ok(())
    }

    /// Makes a block of the last lines.
    fn keep_last(&mut self) {
        if let Some(block) = self.builder.take() {
            self.blocks.push(block, self.entries - self.blocks.len());
        }
    }

    fn order_and_parent(&mut self, entry: &Entry) -> Result<(), LineError> {
        let (path, previous) = (entry.path.as_bytes(), self.previous.as_bytes());
        let common = previous.iter().zip(path).take_while(|(a, b)| a == b).count();
        match previous.cmp(path) {
            Ordering::Less => {}
            Ordering::Equal => return Err(LineError::Twice),
            Ordering::Greater => return Err(LineError::NotSorted { previous: shown(previous) }),
        }
        while self.prefixes.last().is_some_and(|prefix| prefix.len > common) {
            steps::count();
            self.prefixes.pop();
        }
        let parent_len = path.iter().rposition(|c| *c == b'/').unwrap_or(0);
        let parent = || shown(path.get(..parent_len).unwrap_or_default());
        let found = self.prefixes.binary_search_by_key(&parent_len, |prefix| {
            steps::count();
            prefix.len
        });
        match found.ok().and_then(|at| self.prefixes.get(at)).map(|prefix| prefix.kind) {
            Some(Kind::Dir) => Ok(()),
            Some(Kind::Symlink) => Err(LineError::ThroughSymlink { parent: parent() }),
            Some(kind) => Err(LineError::ParentNotDir { parent: parent(), kind }),
            None => Err(LineError::ParentMissing { parent: parent() }),
        }
    }

    fn link(&mut self, link: &Fields, target: &TreePath, entry: &Entry) -> Result<(), LineError> {
        let name = || shown(target.as_bytes());
        if *target >= *entry.path {
            return Err(LineError::LinkTargetLater(name()));
        }
        let hash = link.inode_hash();
        match self.linked.get_mut(target) {
            Some(inode) if inode.hash != hash => Err(LineError::LinkDiffers(name())),
            Some(LinkedInode { nlink, names, .. }) if *names < *nlink => {
                *names += 1;
                Ok(())
            }
            Some(LinkedInode { nlink, names, .. }) => {
                Err(LineError::LinkCount { names: *names + 1, nlink: *nlink })
            }
            None => Err(self.wrong_target(target, hash)),
        }
    }

    /// Returns what is wrong with a hard link to `target`, which is not an inode of several names.
    fn wrong_target(&mut self, target: &TreePath, hash: Digest) -> LineError {
        let name = shown(target.as_bytes());
        // This is the end, so the lines need not stay as they are.
        self.keep_last();
        let (at, found) = self.blocks.search(target.as_bytes());
        let mut line = Vec::new();
        if found && let Some((block, number)) = self.blocks.lines(at).advance() {
            block.write_line(number, &mut line);
        }
        let line = line.strip_suffix(b"\n").unwrap_or_default();
        let Ok(inode) = Fields::split(line) else { return LineError::LinkTargetMissing(name) };
        match inode.inode_kind() {
            _ if inode.is_link => LineError::LinkTargetLink(name),
            Ok(Kind::Dir) => LineError::LinkTargetDir(name),
            _ if inode.inode_hash() != hash => LineError::LinkDiffers(name),
            _ => LineError::LinkCount { names: 2, nlink: 1 },
        }
    }
}
