//! An opened image, which finds files by path and reads them.

use super::file::FileReader;
use super::names::{Names, position};
use super::store::Store;
use crate::image::error::ImageError;
use std::ops::Range;
use std::sync::Arc;
use tiu_bundle::read_at::{FetchCost, ReadAt, Reads};
use tiu_system::path::{TreePath, TreePathBuf};

/// A squashfs image that this process reads itself. Many threads can read its files at the same
/// time.
pub struct Squashfs {
    store: Store,
    names: Names,
}

impl Squashfs {
    /// Reads the superblock, and checks all names.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, ImageError> {
        let store = Store::open(source)?;
        let names = Names::check(&store.metadata, &store.superblock, &store.fragments)?;
        Ok(Squashfs { store, names })
    }

    /// Returns the inode of the regular file at `path`.
    fn find(&self, path: &TreePath) -> Result<Option<u64>, ImageError> {
        self.names.find(&self.store.metadata, &self.store.superblock, path)
    }

    /// Returns the content of the regular file at `path`, or
    /// `None` if there is none.
    pub fn file(&self, path: &TreePath) -> Result<Option<FileReader<'_>>, ImageError> {
        match self.find(path)? {
            Some(inode) => Ok(Some(FileReader::new(&self.store, inode)?)),
            None => Ok(None),
        }
    }

    /// Returns the offset in the image, in bytes, of a file's content: of its first block, or of
    /// the fragment that holds all of it. Returns `None` too if the image cannot be read any more.
    pub fn position(&self, path: &TreePath) -> Option<u64> {
        let inode = self.find(path).ok()??;
        let Store { metadata, superblock, fragments, .. } = &self.store;
        position(metadata, superblock, fragments, inode).ok()
    }

    /// Returns true if reads of the source cost something.
    pub fn is_remote(&self) -> bool {
        self.store.source().is_remote()
    }

    /// Announces the blocks of files to the source, if reads of it cost something.
    pub fn announce(&self, paths: &[TreePathBuf], reads: Reads) {
        if self.store.source().is_remote() {
            self.store.source().announce(&self.ranges(paths), reads);
        }
    }

    /// Returns the cost of reading files, if reads of the source cost something.
    pub fn cost(&self, paths: &[TreePathBuf]) -> Option<FetchCost> {
        if !self.store.source().is_remote() {
            return None;
        }
        self.store.source().cost(&self.ranges(paths))
    }

    /// Returns the ranges of the image that hold the content of files, in the order of `paths`. A
    /// file that cannot be read is left out.
    fn ranges(&self, paths: &[TreePathBuf]) -> Vec<Range<u64>> {
        let files = paths.iter().filter_map(|path| self.file(path).ok().flatten());
        files.filter_map(|file| file.ranges().ok()).flatten().collect()
    }

    /// Calls `each` with every path of every regular file.
    pub fn for_each_file(&self, each: impl FnMut(&[u8])) -> Result<(), ImageError> {
        self.names.for_each_file(&self.store.metadata, &self.store.superblock, each)
    }
}
