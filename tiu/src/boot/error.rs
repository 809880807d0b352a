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
    /// The default does not decide, and nothing else can be changed.
    #[error(
        "the arguments of the running kernel name the subvolume {subvolume}, so a new default would not boot; and \
         tiu writes no boot entries here: {why}"
    )]
    Fixed {
        /// The path of the subvolume.
        subvolume: String,
        /// The reason why there are no boot entries of tiu.
        why: String,
    },
    #[error(transparent)]
    Bls(#[from] BlsError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl BootError {
    /// Returns true if the reason is that the snapshot has nothing to boot.
    pub(super) fn cannot_boot(&self) -> bool {
        matches!(
            self,
            BootError::Bls(
                BlsError::NoKernel { .. } | BlsError::NoInitrd { .. } | BlsError::Subvolume { .. }
            )
        )
    }
}

hints! { BootError {
    forward Snapshot, Host, Tree, Bls, Cancelled;
    Loader { .. } =>
    "see whether the boot partition is mounted, writable and has free space",
    Fixed { .. } =>
    "mount the boot partition if it has systemd-boot; remove rootflags=subvol= from the boot loader's \
     configuration if it can boot the default; set boot: none in tiu.yaml if another program changes the \
     arguments at each update",
    NotSelected { .. } =>
    "tiu status shows what boots; remove what another program set as the default of the boot loader",
} }
