//! The errors of reading a tree.

use std::io;
use tiu_system::hints;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// A tree that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum ScanError {
    /// Something could not be opened or read.
    #[error("/{}: {what} failed: {source}", crate::shown(path))]
    Io { path: Vec<u8>, what: &'static str, source: io::Error },
    /// A file that hosts read is there, but cannot be reached.
    #[error(transparent)]
    Unreachable(TreeError),
    /// The root is missing, or is not a directory.
    #[error("{path}: {source}")]
    Root { path: String, source: io::Error },
    /// The tree was written to at the same time.
    #[error("/{} changed while it was read: {what}", crate::shown(path))]
    Changed {
        path: Vec<u8>,
        /// The difference, with both values.
        what: String,
    },
    /// More than 4 GiB of names.
    #[error("the tree's paths have more than 4 GiB together")]
    TooManyNames,
    /// A file of a type that Linux does not have.
    #[error("/{}: unknown file type {mode:o}", crate::shown(path))]
    UnknownType {
        path: Vec<u8>,
        /// `st_mode`.
        mode: u32,
    },
    /// The scan was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { ScanError {
    forward Cancelled, Unreachable;
    Io { source, what, .. } => match source.kind() {
        io::ErrorKind::PermissionDenied => "run as root: the whole tree must be readable",
        io::ErrorKind::NotFound if what.contains("attribute") => {
            "check that /proc is mounted, and stop whatever changes the tree"
        }
        io::ErrorKind::NotFound => "something is changing the tree: stop it first",
        io::ErrorKind::CrossesDevices => "something is mounted on this file: unmount it first",
        _ => return None,
    },
    Root { .. } => "give the directory that holds the whole system (usr, etc, ...), \
        as `kiwi-ng system prepare` leaves it",
    Changed { .. } => "stop the program that writes to the tree, then pack again",
    TooManyNames | UnknownType { .. } => "leave it out with the recipe's `exclude`",
} }
