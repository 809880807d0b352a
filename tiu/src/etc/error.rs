//! The errors of deciding on an update's `/etc`, and of writing it.

use super::decision::Clash;
use super::state::ReadError;
use crate::accounts::Problem;
use crate::accounts::sysusers::SysusersError;
use tiu_bundle::index::Kind;
use tiu_bundle::policy::PolicyError;
use tiu_extract::{EngineError, ImageError};
use tiu_system::Hint;
use tiu_system::hints;
use tiu_system::path::TreePath;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// An error of deciding on an update's `/etc` with its users and groups, or of writing it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum MergeError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Sysusers(#[from] SysusersError),
    /// The image lacks a directory that every system has, or has something else there.
    #[error("the image has no directory /{0}")]
    NoDirectory(&'static TreePath),
    /// The administrator's and the image's versions of `/etc` exclude each other.
    #[error("/etc cannot be merged in {} place{}:{}", .0.len(), plural(.0), lines(.0))]
    Clash(Vec<Clash>),
    /// Users and groups of the host and of the image cannot both be.
    #[error("users and groups cannot be merged in {} place{}:{}", .0.len(), plural(.0), lines(.0))]
    Accounts(Vec<Problem>),
    /// A file of users or groups is something else.
    #[error("the {whose}'s /{path} is a {found}, not a regular file")]
    AccountFile {
        /// `host` or `image`.
        whose: &'static str,
        path: &'static TreePath,
        found: Kind,
    },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn plural<T>(all: &[T]) -> &'static str {
    if all.len() == 1 { "" } else { "s" }
}

/// Returns each on a line of its own.
fn lines(all: &[impl std::fmt::Display]) -> String {
    all.iter().map(|item| format!("\n  {item}")).collect()
}

impl From<ReadError> for MergeError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

hints! { MergeError {
    forward Tree, Policy, Image, Engine, Sysusers, Cancelled;
    NoDirectory(_) =>
    "build the image with it: `tiu-create pack` packs a whole root tree and adds what tiu needs",
    Clash(_) => "for each of them, move what is the administrator's out of the directory (or out of \
                             the image's way) on the host, then run again; or list it in tiu.yaml under \
                             etc: always-image, and the image's version replaces the directory",
    Accounts(problems) => {
        let mut hints: Vec<String> = problems.iter().filter_map(Hint::hint).collect();
        hints.dedup();
        hints.join("; ")
    },
    AccountFile { whose: "host", path, .. } => format!(
        "make /{path} a regular file with the host's entries; users from elsewhere come through \
         nsswitch.conf, not through a link"
    ),
    AccountFile { .. } =>
    "ask the image's maker: programs of the image's own would replace it, too",
} }
