//! The errors of a verification.

use crate::etc::ReportError;
use crate::etc::pristine::PristineError;
use crate::etc::state::ReadError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use crate::state::{NoSigner, RecordError, StateError};
use std::sync::Arc;
use tiu_extract::EngineError;
use tiu_system::hints;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// A snapshot could not be verified, or differs.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum VerifyError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Host(#[from] HostError),
    /// The snapshot has no image.
    #[error("snapshot {0} was not made by tiu: nothing in it is signed")]
    NoImage(u32),
    /// No trusted signer signed the image.
    #[error("snapshot {number}: {source}")]
    Unsigned { number: u32, source: Arc<NoSigner> },
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Pristine(#[from] PristineError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Nothing is proved of the snapshot.
    #[error("snapshot {number} has no valid seal: {reason}")]
    NotSealed {
        number: u32,
        /// The reason, in words.
        reason: String,
    },
    /// Something else was mounted over the snapshot while it was looked for.
    #[error(
        "something is mounted over snapshot {number}: the subvolume below has id {found}, the listed one {expected}"
    )]
    Mounted { number: u32, found: u64, expected: u64 },
    /// `/etc` was changed since the image was applied, and that is a failure too.
    #[error("{count} path{} in /etc of snapshot {number} changed since the update", if *.count == 1 { "" } else { "s" })]
    EtcChanged {
        number: u32,
        /// The number of paths.
        count: usize,
    },
    /// The snapshot differs from what was signed.
    #[error("snapshot {number} differs in {count} place{} from what was signed", if *.count == 1 { "" } else { "s" })]
    Differs {
        number: u32,
        /// The number of differences.
        count: usize,
    },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<ReadError> for VerifyError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

hints! { VerifyError {
    forward Snapshot, Host, State, Tree, Record, Report, Pristine, Engine, Unsigned.source, Cancelled;
    Mounted { .. } => "unmount it (findmnt -R shows what is mounted), then verify again",
    EtcChanged { .. } => "tiu etc diff shows the changes; without --strict they are not a failure",
    NotSealed { .. } => "verify without --since-seal, which reads everything",
    NoImage(_) => "tiu list shows which snapshots hold images",
    Differs { .. } =>
        "apply the image again (tiu apply --force BUNDLE), or go back (tiu rollback); then look for \
         who or what changed it",
} }
