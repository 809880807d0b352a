//! Why an image's persistent paths do not allow an update.

use crate::etc::lists::{IMAGE_PATH, ListsError};
use std::path::PathBuf;
use tiu_bundle::index::Kind;
use tiu_bundle::persistent::PersistentError as ListError;
use tiu_system::Hint;

/// Why an image's persistent paths, or what the host has there, do not allow an update.
#[derive(Debug, thiserror::Error)]
pub enum PersistentError {
    /// See [`ListsError`].
    #[error(transparent)]
    Policy(#[from] ListsError),
    /// The image's list cannot be used.
    #[error("/{IMAGE_PATH} of the image: persistent: {0}")]
    List(ListError),
    /// The image has no such directory.
    #[error(
        "/{IMAGE_PATH} of the image: persistent: found \"/{path}\", which is {found} in the image, expected a directory"
    )]
    NotInImage {
        /// Without a leading slash.
        path: String,
        /// What it is.
        found: String,
    },
    /// The host has something else there.
    #[error(
        "/{path} is persistent in the image, and on the host /{at} is a {found}, expected a directory or nothing"
    )]
    NotOnHost {
        /// Without a leading slash.
        path: String,
        /// Itself, or a directory that it lies in.
        at: String,
        /// What it is.
        found: Kind,
    },
    /// A subvolume in the snapshot that is mounted nowhere else: a copy of the snapshot has an empty directory there.
    #[error("/{} of the host is a subvolume inside the snapshot, and what it holds would not be in the new one", path.display())]
    Nested {
        /// Without a leading slash.
        path: PathBuf,
    },
}

impl Hint for PersistentError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PersistentError::Policy(e) => return e.hint(),
            PersistentError::List(ListError::TooMany { .. }) | PersistentError::NotInImage { .. } => {
                "ask the image's maker to correct `persistent` of its build recipe".into()
            }
            PersistentError::List(e) => {
                let why = e.hint().unwrap_or_default();
                format!("ask the image's maker to correct `persistent` of its build recipe: {why}")
            }
            PersistentError::NotOnHost { at, .. } => {
                format!("move it away; or name /{at} under host-paths in tiu.yaml, and it stays as it is")
            }
            PersistentError::Nested { path } => format!(
                "move what it holds to a subvolume outside of the snapshots that fstab mounts at /{}, then remove the one inside (docs/guide/var.md)",
                path.display()
            ),
        })
    }
}
