//! The errors of packing.

use crate::facts::FactsError;
use crate::files::OutputError;
use crate::plan::PlanError;
use crate::sign::SignError;
use crate::tree::ScanError;
use std::io;
use std::path::PathBuf;
use tiu_bundle::bundle::BundleError;
use tiu_bundle::index::IndexError;
use tiu_bundle::manifest::ManifestError;
use tiu_bundle::policy::PolicyError;
use tiu_system::errno;
use tiu_system::glob::GlobError;
use tiu_system::hints;
use tiu_system::program::RunError;
use tiu_system::progress::Cancelled;

/// An error that prevented the bundle. An unfinished bundle is removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum PackError {
    /// Reading the tree failed.
    #[error(transparent)]
    Tree(#[from] ScanError),
    /// A fact that the tree lacks.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// No image can be made of the tree.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A pattern of the recipe.
    #[error(transparent)]
    Pattern(#[from] GlobError),
    /// A policy that no client would take.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A value that a manifest cannot have.
    #[error("a value from the recipe or the tree cannot be part of a manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// The squashfs writer failed.
    #[error(transparent)]
    Program(RunError),
    /// The squashfs writer stopped taking data.
    #[error("writing to the squashfs writer failed: {0}")]
    Stream(io::Error),
    /// The thread that reads files stopped. A bug.
    #[error("reading files stopped without an error")]
    Reader,
    /// The index is one that no client would read.
    #[error("the tree cannot be described in an index: {0}")]
    Index(#[from] IndexError),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signature does not fit into a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle would become part of its own tree.
    #[error("{} is in the tree {}, which is never changed", path.display(), root.display())]
    InsideTree { path: PathBuf, root: PathBuf },
    /// The bundle's name is that of something else than a file.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The tree has files that belong to one host.
    #[error("{files} files of the tree belong to one host: {}", first.join(", "))]
    Identity {
        files: u64,
        /// The first few paths.
        first: Vec<String>,
    },
    /// The version is that of the operating system.
    #[error(
        "version {version} is VERSION_ID of os-release, which many images share: hosts cannot tell which is newer"
    )]
    SharedVersion { version: String },
    /// The bundle could not be written.
    #[error("writing {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// `SOURCE_DATE_EPOCH` is not a time.
    #[error("SOURCE_DATE_EPOCH is {found:?}, expected seconds since 1970, from 0 to 4294967295")]
    Created { found: String },
    /// Packing was cancelled.
    #[error("{0}; nothing was written")]
    Cancelled(#[from] Cancelled),
}

impl From<RunError> for PackError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Cancelled(cancelled) => cancelled.into(),
            other => PackError::Program(other),
        }
    }
}

hints! { PackError {
    forward Tree, Facts, Plan, Pattern, Policy, Program, Sign, Bundle, Output, Cancelled;
    Program(RunError::Failed { .. }) => "the last lines of the program's output say why; a full disk is \
                                         the most common reason",
    Manifest(_) => "set the value in the recipe: it overrides the tree's",
    Index(_) => "leave it out with the recipe's `exclude`",
    InsideTree { .. } => "write the bundle to another directory",
    Identity { .. } => "remove them when the tree is made, `exclude` them in the recipe, or pack without --strict, \
        which leaves them out; `etc: always-image` in the recipe keeps files that are meant for every host",
    SharedVersion { .. } => "give each image a version of its own: `version: \"...\"` in the recipe, \
                             --image-version, or IMAGE_VERSION in the tree's os-release; if VERSION_ID is \
                             right, set `version-from: VERSION_ID`; without --strict it is a warning",
    Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
        "free some space, or write to another filesystem: packing needs about a third of the tree's size"
    },
    Write { source, .. } =>
        errno::hint(source).unwrap_or("check that the directory exists and can be written to"),
    Created { .. } => "set it to what `date +%s` prints, or unset it for the current time",
    Stream(_) | Reader => None,
} }
