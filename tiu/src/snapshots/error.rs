//! Why snapshots could not be listed or changed.

use crate::host::HostError;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::Hint;
use tiu_system::program::RunError;

/// Why snapshots could not be listed or changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// btrfs refused.
    #[error("{what} {}: {source}", path.display())]
    Btrfs {
        /// What was to be done.
        what: &'static str,
        /// With which subvolume.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// There is no snapshot of this number.
    #[error("there is no snapshot {number}; there are: {}", join(.there))]
    NotFound {
        /// Asked for.
        number: u32,
        /// Numbers of those that exist.
        there: Vec<u32>,
    },
    /// snapper said that it did something, and it is not so.
    #[error("snapper did not {what}: found {found}{}", said(.output))]
    NotDone {
        /// What it was to do.
        what: String,
        /// What was found afterwards.
        found: String,
        /// What it printed.
        output: String,
    },
    /// The snapshot runs or boots next.
    #[error("snapshot {number} cannot be deleted: it {why}")]
    InUse {
        /// Which.
        number: u32,
        /// `is running`, `boots next`.
        why: &'static str,
    },
}

impl From<RunError> for SnapshotError {
    fn from(e: RunError) -> Self {
        SnapshotError::Host(e.into())
    }
}

impl Hint for SnapshotError {
    fn hint(&self) -> Option<String> {
        match self {
            SnapshotError::Host(e) => e.hint(),
            SnapshotError::Btrfs { .. } => {
                Some("run tiu as root; see the kernel's log for btrfs errors".into())
            }
            SnapshotError::NotFound { .. } => Some("tiu list shows all snapshots".into()),
            SnapshotError::NotDone { .. } => Some("run the snapper command by hand to see why".into()),
            SnapshotError::InUse { .. } => Some("choose another default first: tiu rollback N".into()),
        }
    }
}

fn join(numbers: &[u32]) -> String {
    match numbers {
        [] => "none".into(),
        _ => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn said(output: &str) -> String {
    let output = output.trim();
    if output.is_empty() { String::new() } else { format!("; it printed: {output}") }
}

pub(crate) fn btrfs<T>(
    what: &'static str,
    path: &Path,
    result: Result<T, libbtrfsutil::Error>,
) -> Result<T, SnapshotError> {
    result.map_err(|e| SnapshotError::Btrfs { what, path: path.to_owned(), source: e.os_error() })
}
