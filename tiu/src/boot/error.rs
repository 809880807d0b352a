//! The errors of changing what boots next.

use super::bls::BlsError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use std::io;
use tiu_system::hints;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// An error of changing what boots next, or of deleting a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum BootError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The boot loader's own files could not be changed.
    #[error("boot loader: {what} for snapshot {number}: {source}")]
    Loader {
        /// The step, such as `writing the boot entry`.
        what: &'static str,
        number: u32,
        source: io::Error,
    },
    /// Something else boots.
    #[error("snapshot {number} was to boot next, but the boot loader would start {found}")]
    NotSelected {
        number: u32,
        /// The snapshot that would boot.
        found: String,
    },
    #[error(transparent)]
    Bls(#[from] BlsError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { BootError {
    forward Snapshot, Host, Tree, Bls, Cancelled;
    Loader { .. } =>
    "see whether the boot partition is mounted, writable and has free space",
    NotSelected { .. } =>
    "tiu status shows what boots; remove what another program set as the default of the boot loader",
} }
