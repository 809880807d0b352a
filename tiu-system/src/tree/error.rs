//! A file of a tree that cannot be used.

use crate::{errno, hints};
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

hints! { struct TreeError {
    Self { source, .. } => match source.raw_os_error() {
        // Found by looking at it: the message says what.
        None => "correct it or remove it",
        Some(_) => errno::hint(source)
            .unwrap_or("check that you are root and that the disk is healthy (dmesg)"),
    },
} }
