//! The errors of planning an image.

use crate::tree::ScanError;
use tiu_bundle::index::{AclError, Kind, MAX_ID, MAX_PATH, TIMES};
use tiu_system::hints;

/// A tree from which no image can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum PlanError {
    /// A directory of the image is something else in the tree.
    #[error("/{}: found a {found}, expected a directory for /{}", crate::shown(path), crate::shown(child))]
    NotADirectory {
        path: Vec<u8>,
        found: Kind,
        /// The entry that needs the directory.
        child: Vec<u8>,
    },
    /// A persistent path of the recipe is not a directory.
    #[error(
        "/{}: found a {found} in the tree, but the recipe declares a persistent directory",
        crate::shown(path)
    )]
    NotPersistent { path: Vec<u8>, found: Kind },
    /// The tree has something where a file of ours must go.
    #[error("/{}: found a {found} in the tree, but tiu-create writes a file there", crate::shown(path))]
    Taken { path: Vec<u8>, found: Kind },
    /// Longer than a path can be.
    #[error("/{}: the path has {} bytes in the image, expected at most {}", crate::shown(path), path.len(), MAX_PATH - 1)]
    PathTooLong { path: Vec<u8> },
    /// A time that filesystems cannot hold.
    #[error(
        "/{}: its modification time is {found} seconds since 1970, expected at least {}",
        crate::shown(path),
        TIMES.start()
    )]
    Time { path: Vec<u8>, found: i64 },
    /// A number that is none.
    #[error("/{}: its {what} is {found}, expected at most {MAX_ID}", crate::shown(path))]
    Owner {
        path: Vec<u8>,
        /// `owner` or `group`.
        what: &'static str,
        found: u32,
    },
    /// An access list that no file on a host can have.
    #[error("/{}: {problem}", crate::shown(path))]
    Acl { path: Vec<u8>, problem: AclError },
    /// More than 4 GiB of names.
    #[error(transparent)]
    Tree(#[from] ScanError),
}

hints! { PlanError {
    forward Tree;
    Time { .. } => "set it to the time at which the file was really changed (`touch`): filesystems of \
                    hosts cannot hold times before 1901-12-13",
    Owner { .. } => "give it to a user and a group (`chown`): this number stands for none",
    Acl { .. } => "correct it (`getfacl -n`, `setfacl`): 4294967295 stands for a user or group that this \
                   namespace does not know",
    PathTooLong { .. } => "leave it out with the recipe's `exclude`",
    NotPersistent { .. } => "make it a directory, or remove it from the recipe's `persistent`",
    NotADirectory { .. } | Taken { .. } =>
        "give the root tree of a whole system; if it is one, remove this file when the tree is made",
} }
