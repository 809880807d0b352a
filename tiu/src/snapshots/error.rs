//! The errors of listing and changing snapshots.

use crate::host::HostError;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::program::RunError;

/// An error of listing or changing snapshots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum SnapshotError {
    #[error(transparent)]
    Host(#[from] HostError),
    /// btrfs refused.
    #[error("{what} {}: {source}", path.display())]
    Btrfs {
        /// The step, such as `deleting`.
        what: &'static str,
        /// The subvolume.
        path: PathBuf,
        source: io::Error,
    },
    #[error("there is no snapshot {number}; there are: {}", join(.there))]
    NotFound {
        number: u32,
        /// Numbers of those that exist.
        there: Vec<u32>,
    },
    /// snapper reported success, but what was asked for did not happen.
    #[error("snapper did not {what}: found {found}{}", quoted(.output))]
    NotDone {
        /// The change that was asked for.
        what: String,
        /// The state afterwards.
        found: String,
        /// The program's output.
        output: String,
    },
    /// The snapshot runs or boots next.
    #[error("snapshot {number} cannot be deleted: it {why}")]
    InUse {
        number: u32,
        /// `is running` or `boots next`.
        why: &'static str,
    },
}

impl From<RunError> for SnapshotError {
    fn from(e: RunError) -> Self {
        SnapshotError::Host(e.into())
    }
}

hints! { SnapshotError {
    forward Host;
    Btrfs { source, .. } =>
        errno::hint(source).unwrap_or("run tiu as root; see the kernel's log for btrfs errors"),
    NotFound { .. } => "tiu list shows all snapshots",
    NotDone { .. } => "run the snapper command by hand to see why",
    InUse { .. } => "choose another default first: tiu rollback N",
} }

fn join(numbers: &[u32]) -> String {
    match numbers {
        [] => "none".into(),
        _ => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn quoted(output: &str) -> String {
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
