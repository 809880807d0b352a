//! Errors of drafts.

use crate::boot::BootError;
use crate::snapshots::SnapshotError;
use std::io;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::tree::TreeError;

/// An error of making a draft, or of making it what boots next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum DraftError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The content could not be made to last.
    #[error("syncing the filesystem: {0}")]
    Sync(io::Error),
}

hints! { DraftError {
    forward Snapshot, Boot, Tree;
    Sync(source) => errno::hint(source).unwrap_or("the disk may be failing: see dmesg"),
} }

/// An error, and a draft that could not be removed after it. The cause comes first.
#[derive(Debug, thiserror::Error)]
#[error("{error}\n  and removing the unfinished snapshot {number} failed: {cleanup}")]
#[non_exhaustive]
pub struct LeftBehind<E> {
    /// The first error.
    pub error: Box<E>,
    /// The snapshot that still exists.
    pub number: u32,
    /// The reason why the draft still exists.
    pub cleanup: BootError,
}

hints! { struct LeftBehind<E> {
    cancelled error;
    Self { error, .. } => match error.hint() {
        Some(hint) => format!("{hint}; then remove what is left: tiu cleanup"),
        None => "remove what is left: tiu cleanup".into(),
    },
} }
