//! The errors of an unattended update.

use crate::boot::BootError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use crate::transaction::ApplyError;
use std::io;
use std::path::PathBuf;
use tiu_source::LocationError;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// The reason why an unattended update failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum UpdateError {
    /// There is no source.
    #[error("there is no source of updates: none is given or configured")]
    NoSource,
    /// The source is something else.
    #[error(
        "update: found {found:?}, expected the absolute path of a bundle or of a folder with bundles, or a URL"
    )]
    Source { found: String },
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The source cannot be read.
    #[error("the source of updates {} cannot be read: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// The folder is not one for updates.
    #[error("{} has more than {limit} {what}", path.display())]
    TooMany { path: PathBuf, limit: usize, what: &'static str },
    /// Bundles exist, and none can be used.
    #[error("{location} has no bundle that can be used: {}", refused.join("; "))]
    NoneUsable {
        location: String,
        /// The reason for each.
        refused: Vec<String>,
    },
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { UpdateError {
    forward Location, Apply, Host, Snapshot, Boot, Tree, Cancelled;
    NoSource => "set update in /etc/tiu/tiu.yaml to a bundle or a folder with bundles, or name one",
    Source { .. } => "write the path in full, as the host sees it",
    Folder { source, .. } =>
        errno::hint(source).unwrap_or("see whether it exists, is mounted and can be read"),
    TooMany { .. } => "give updates a folder of their own, and remove old bundles",
    NoneUsable { .. } => "tiu update --check shows each bundle; fetch the bad ones again",
} }
