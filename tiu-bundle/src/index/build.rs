//! The writer of an index whose entries come in path order.

use super::check::Checker;
use super::line::write_line;
use super::{Entry, EntryBuf, Index, IndexError, Kind};
use crate::content_digest::Digest;
use sha2::Digest as _;
use std::borrow::Cow;
use tiu_system::path::TreePath;

/// Makes an index of entries in path order. Unlike [`IndexWriter`](super::IndexWriter), checks each
/// as it comes and never has the whole text in memory.
pub struct IndexBuilder {
    checker: Checker,
    hasher: sha2::Sha256,
    line: Vec<u8>,
}

impl Default for IndexBuilder {
    fn default() -> Self {
        IndexBuilder { checker: Checker::new(), hasher: sha2::Sha256::new(), line: Vec::new() }
    }
}

impl IndexBuilder {
    /// Adds an entry, which is not a hard link. Its `nlink` is the number of its names.
    pub fn push(&mut self, entry: &Entry) -> Result<(), IndexError> {
        self.add(entry, entry)
    }

    /// Adds `path` as another name of `inode`, which was pushed before.
    pub fn link(&mut self, path: &TreePath, inode: &Entry) -> Result<(), IndexError> {
        let link = EntryBuf {
            path: Cow::Owned(path.to_owned()),
            kind: Kind::HardLink,
            link: Some(Cow::Owned(inode.path.as_ref().to_owned())),
            ..inode.clone().into_owned()
        };
        self.add(&link, inode)
    }

    fn add(&mut self, entry: &Entry, inode: &Entry) -> Result<(), IndexError> {
        self.line.clear();
        write_line(&mut self.line, entry, inode, inode.nlink);
        self.hasher.update(&self.line);
        self.checker.feed(&self.line)
    }

    /// Returns the index and the SHA-256 of its text.
    pub fn finish(self) -> Result<(Index, Digest), IndexError> {
        Ok((self.checker.finish()?, Digest(self.hasher.finalize().into())))
    }
}
