//! The errors of a snapshot's own files.

use super::provenance::ProvenanceError;
use super::record::RecordError;
use crate::etc::ReportError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use tiu_system::hints;
use tiu_system::tree::TreeError;

/// A snapshot's own files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("snapshot {number}: {source}")]
#[non_exhaustive]
pub struct StateError {
    /// The snapshot.
    pub number: u32,
    /// The problem.
    pub source: StateProblem,
}

/// A problem of a snapshot's own files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum StateProblem {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Provenance(#[from] ProvenanceError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

hints! { StateProblem {
    forward Tree, Provenance, Record, Report, Host, Snapshot;
} }

hints! { struct StateError { forward source; } }
