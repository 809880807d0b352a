//! Why two images could not be compared.

use crate::host::HostError;
use crate::snapshots::{SnapshotError, State};
use crate::state::StateError;
use std::io;
use tiu_bundle::bundle::OpenError;
use tiu_cli::exit;
use tiu_extract::{EngineError, ImageError};
use tiu_system::Hint;
use tiu_system::program::RunError;
use tiu_system::tree::TreeError;

/// Why two images could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// The bundle cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The bundle's image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A snapshot without an index cannot be read.
    #[error(transparent)]
    Engine(EngineError),
    /// There is no image in it yet.
    #[error("snapshot {number} is unfinished: its state is {state:?}")]
    Unfinished {
        /// Which.
        number: u32,
        /// Its state.
        state: State,
    },
    /// See [`StateError`].
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of a side cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Path.
        path: String,
        /// Cause.
        source: io::Error,
    },
    /// The private copy of rpm's database could not be made.
    #[error("copying rpm's database: {0}")]
    Copy(io::Error),
    /// rpm could not be run, or failed.
    #[error("rpm's database cannot be read: {0}")]
    Rpm(RunError),
    /// rpm found nothing.
    #[error("rpm found no package in the database{}", if .said.trim().is_empty() { String::new() } else { format!("; it printed: {}", .said.trim()) })]
    NoPackages {
        /// What it printed as errors.
        said: String,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<EngineError> for DiffError {
    fn from(e: EngineError) -> Self {
        match e {
            EngineError::Cancelled(_) => DiffError::Cancelled,
            other => DiffError::Engine(other),
        }
    }
}

impl Hint for DiffError {
    fn hint(&self) -> Option<String> {
        match self {
            DiffError::Snapshot(e) => e.hint(),
            DiffError::Host(e) => e.hint(),
            DiffError::Open(e) => e.hint(),
            DiffError::Image(e) => e.hint(),
            DiffError::Tree(e) => e.hint(),
            DiffError::Engine(e) => e.hint(),
            DiffError::State(e) => e.hint(),
            DiffError::Unfinished { .. } => Some("tiu cleanup removes it; tiu list shows the others".into()),
            DiffError::Read { .. } => {
                Some("check the bundle with tiu-extract verify, the snapshot with tiu verify".into())
            }
            DiffError::Copy(_) => {
                Some("see whether there is room for temporary files ($TMPDIR, or /tmp)".into())
            }
            DiffError::Rpm(RunError::Cancelled(_)) | DiffError::Cancelled => None,
            DiffError::Rpm(e) => e.hint(),
            DiffError::NoPackages { .. } => Some(
                "this system's rpm may be older than the image's: compare where a newer one is installed"
                    .into(),
            ),
        }
    }
}

impl DiffError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            DiffError::Cancelled | DiffError::Rpm(RunError::Cancelled(_)) => exit::CANCELLED,
            _ => exit::FAILED,
        }
    }
}
