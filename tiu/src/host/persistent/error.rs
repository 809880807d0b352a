//! The errors of persistent paths.

use std::path::PathBuf;
use tiu_bundle::index::Kind;
use tiu_bundle::policy::{POLICY_PATH, PolicyError};
use tiu_system::hints;
use tiu_system::path::TreePathBuf;

/// Persistent paths of an image, or what the host has there, that do not allow an update.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum PersistentError {
    /// The image's policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The image has no such directory.
    #[error(
        "/{POLICY_PATH} of the image: persistent: found \"/{path}\", which is {found} in the image, expected a directory"
    )]
    NotInImage { path: TreePathBuf, found: String },
    /// The host has something else there.
    #[error(
        "/{path} is persistent in the image, and on the host /{at} is a {found}, expected a directory or nothing"
    )]
    NotOnHost {
        path: TreePathBuf,
        /// The path itself, or a directory that it is in.
        at: TreePathBuf,
        found: Kind,
    },
    /// A subvolume in the snapshot is not mounted elsewhere: a copy of the snapshot has an empty
    /// directory there.
    #[error("/{} of the host is a subvolume inside the snapshot, and what it holds would not be in the new one", path.display())]
    Nested { path: PathBuf },
}

hints! { PersistentError {
    forward Policy;
    NotInImage { .. } => "ask the image's maker to correct `persistent` of its build recipe",
    NotOnHost { at, .. } => {
        format!("move it away; or name /{at} under host-paths in tiu.yaml, and it stays as it is")
    },
    Nested { path } => format!(
        "move what it holds to a subvolume outside of the snapshots that fstab mounts at /{}, then \
         remove the one inside (docs/guide/var.md)",
        path.display()
    ),
} }
