//! An opened image: finds files by path and reads them.

use super::file::FileReader;
use super::names::Names;
use super::store::Store;
use crate::image::error::ImageError;
use std::sync::Arc;
use tiu_bundle::read_at::ReadAt;

/// An opened image. Many threads can read its files at once.
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

    /// Content of the regular file at `path` (relative, without leading slash); `None` when there is none.
    pub fn file(&self, path: &[u8]) -> Result<Option<FileReader<'_>>, ImageError> {
        match self.names.find(path) {
            Some(file) => Ok(Some(FileReader::new(&self.store, file.inode)?)),
            None => Ok(None),
        }
    }

    /// Where the content of the file begins in the image, in bytes: its first block, or the fragment that holds all of it.
    pub fn position(&self, path: &[u8]) -> Option<u64> {
        self.names.find(path).map(|file| file.position)
    }

    /// Calls `each` with every path of every regular file.
    #[cfg(test)]
    pub fn for_each_file(&self, each: impl FnMut(&[u8])) {
        self.names.for_each_file(each);
    }
}
