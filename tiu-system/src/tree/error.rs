//! A file of a tree that cannot be used.

use crate::Hint;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// A file of a tree that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
#[allow(missing_docs)]
pub struct TreeError {
    /// The path, with the tree's own in front.
    pub path: PathBuf,
    pub source: io::Error,
}

impl Hint for TreeError {
    fn hint(&self) -> Option<String> {
        let hint = match Errno::from_io_error(&self.source) {
            Some(Errno::LOOP) => "a symlink lies on the way, which is not followed: look at what is there",
            Some(Errno::NOSPC) => "free some space: delete snapshots that are no longer needed",
            _ => "check that you are root and that the disk is healthy (dmesg)",
        };
        Some(hint.to_owned())
    }
}
