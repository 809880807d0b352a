//! The errors of a comparison.

use crate::host::HostError;
use crate::snapshots::{SnapshotError, State};
use crate::state::StateError;
use std::io;
use tiu_extract::{EngineError, ImageError};
use tiu_source::OpenError;
use tiu_system::hints;
use tiu_system::path::TreePathBuf;
use tiu_system::program::RunError;
use tiu_system::tree::TreeError;

/// Two images could not be compared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum DiffError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Host(#[from] HostError),
    /// The bundle cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The bundle's image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A snapshot without an index cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The snapshot does not contain a finished image.
    #[error("snapshot {number} is unfinished: its state is {state:?}")]
    Unfinished { number: u32, state: State },
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of a side cannot be read.
    #[error("{path}: {source}")]
    Read { path: TreePathBuf, source: io::Error },
    /// The private copy of rpm's database could not be made.
    #[error("copying rpm's database: {0}")]
    Copy(io::Error),
    /// rpm could not be run, or failed.
    #[error("rpm's database cannot be read: {0}")]
    Rpm(RunError),
    /// rpm found no package.
    #[error("rpm found no package in the database{}", printed(.stderr))]
    NoPackages { stderr: String },
}

/// Returns the end of a message with what a program printed.
fn printed(stderr: &str) -> String {
    let stderr = stderr.trim();
    if stderr.is_empty() { String::new() } else { format!("; it printed: {stderr}") }
}

hints! { DiffError {
    forward Snapshot, Host, Open, Image, Tree, Engine, State, Rpm;
    Unfinished { .. } => "tiu cleanup removes it; tiu list shows the others",
    Read { .. } => "check the bundle with tiu-extract verify, the snapshot with tiu verify",
    Copy(_) => "see whether temporary files have space ($TMPDIR, or /tmp)",
    NoPackages { .. } =>
        "this system's rpm may be older than the image's: compare on a system with a newer one",
} }
