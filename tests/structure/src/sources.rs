//! The origin of source text: the disk, or a map in memory for tests.

use std::io;
use std::path::{Path, PathBuf};

/// A reader of source files.
pub trait Sources {
    /// Returns the text of the file, or an error of kind `NotFound`.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The files on the disk, by paths relative to a directory.
pub struct Disk(pub PathBuf);

impl Sources for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(self.0.join(path))
    }
}

#[cfg(test)]
impl Sources for std::collections::BTreeMap<PathBuf, String> {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
