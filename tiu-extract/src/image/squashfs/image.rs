//! An opened image, which finds files by path and reads them.

use super::file::FileReader;
use super::names::Names;
use super::store::Store;
use crate::image::error::ImageError;
use std::sync::Arc;
use tiu_bundle::read_at::ReadAt;
use tiu_system::path::TreePath;

/// A squashfs image that this process reads itself. Many threads can read its files at the same
/// time.
pub struct Squashfs {
    store: Store,
    names: Names,
}

impl Squashfs {
    /// Reads the superblock and all names.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, ImageError> {
        let store = Store::open(source)?;
        let names = Names::read(&store.metadata, &store.superblock, &store.fragments)?;
        Ok(Squashfs { store, names })
    }

    /// Returns the content of the regular file at `path`, or
    /// `None` if there is none.
    pub fn file(&self, path: &TreePath) -> Result<Option<FileReader<'_>>, ImageError> {
        match self.names.find(path) {
            Some(file) => Ok(Some(FileReader::new(&self.store, file.inode)?)),
            None => Ok(None),
        }
    }

    /// Returns the offset in the image, in bytes, of a file's content: of its first block, or of
    /// the fragment that holds all of it.
    pub fn position(&self, path: &TreePath) -> Option<u64> {
        self.names.find(path).map(|file| file.position)
    }

    /// Calls `each` with every path of every regular file.
    pub fn for_each_file(&self, each: impl FnMut(&[u8])) {
        self.names.for_each_file(each);
    }
}
