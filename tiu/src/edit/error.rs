//! The errors of `tiu etc`.

use crate::boot::{BootError, NotBootable};
use crate::config::NotAccepted;
use crate::draft::{DraftError, LeftBehind};
use crate::etc::{PristineError, ReadError};
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use crate::state::StateError;
use std::path::{Path, PathBuf};
use tiu_bundle::index::Kind;
use tiu_extract::{Difference, EngineError};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::TreeError;

/// An error of `tiu etc`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum EditError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Pristine(#[from] PristineError),
    #[error("/etc: {0}")]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A part that a boot needs would be missing.
    #[error("the new snapshot would not boot: {0}")]
    NotBootable(#[from] NotBootable),
    /// The change takes away the trust that the next update needs.
    #[error("the next update would be refused, because the changed host does not accept its own image: {0}")]
    NextTrust(NotAccepted),
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind<EditError>),
    /// No image was applied in the snapshot, so there are no defaults.
    #[error("snapshot {0} was not made by tiu: the defaults of its /etc are not known")]
    NoImage(u32),
    /// The snapshot was made by a tiu that kept no report.
    #[error("snapshot {0} has no report of a merge")]
    NoReport(u32),
    /// The given path is not in `/etc`.
    #[error("{found:?} is not a path in /etc")]
    NotEtc { found: String },
    /// There is nothing to go back to, and nothing to go back from.
    #[error("/{path} exists neither on the host nor in the image of snapshot {number}")]
    NoSuchPath { path: TreePathBuf, number: u32 },
    /// The path to keep is not among the conflicts.
    #[error("/{path} is not a conflict in snapshot {number}")]
    NoConflict { path: TreePathBuf, number: u32 },
    /// Users and groups have no version to go back to.
    #[error("/{path} is merged by entry: the image's version would remove the host's users and groups")]
    Accounts { path: &'static TreePath },
    /// A directory that it lies in is something else on the host.
    #[error("/{path} cannot be reset: on the host, /{above} is a {found}, in the image a directory")]
    NoDirectory {
        path: TreePathBuf,
        /// The path that should be a directory.
        above: TreePathBuf,
        found: Kind,
    },
    /// `/etc` is the running system's, and what boots next is another snapshot.
    #[error("snapshot {next} boots next, so a change of the running system's /etc would not be in it")]
    NotRunning { next: u32 },
    /// `/etc` of what runs cannot be written.
    #[error("/etc of snapshot {number} is read-only")]
    ReadOnly { number: u32 },
    /// The snapshot has damaged metadata, which a copy of it would share.
    #[error("snapshot {number} cannot be changed safely: the filesystem cannot read {} ({what})", path.display())]
    Damaged {
        number: u32,
        path: PathBuf,
        /// The part that cannot be read, with the error.
        what: String,
    },
    /// The base of the change was never finished.
    #[error("snapshot {0} boots next, but tiu never finished it")]
    Unfinished(u32),
    /// Afterwards it was not as it should be.
    #[error("/etc differs from the decision in {} place{}, first {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, .0.first().map(|d| d.path.to_string()).unwrap_or_default())]
    Differs(Vec<Difference>),
}

impl EditError {
    /// Returns what `error` of the engine means in snapshot `number`, where it worked below the
    /// absolute path `top`.
    pub(super) fn in_snapshot(error: EngineError, number: u32, top: &Path) -> Self {
        match error {
            EngineError::Damaged { path, what } => EditError::Damaged { number, path: top.join(path), what },
            other => other.into(),
        }
    }
}

impl From<ReadError> for EditError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

hints! { EditError {
    forward Snapshot, Host, State, Tree, Pristine, Engine, Boot, NotBootable, Draft, LeftBehind;
    NextTrust(_) =>
    "keep the certificate and the configuration that names it; if the trust is to change: --allow-trust-change",
    NoImage(_) | NoReport(_) =>
    "tiu list shows which snapshots hold images; name one with --snapshot",
    NotEtc { .. } => "give it as an absolute path in the host, like /etc/fstab",
    NoSuchPath { .. } => "tiu etc diff shows what differs",
    NoConflict { .. } =>
    "tiu etc conflicts shows them; what differs from the image stays as it is anyway",
    Accounts { .. } =>
    "change entries with usermod, groupmod, userdel, ...; the image's files are in /usr/lib/sysimage/tiu/etc",
    NoDirectory { above, .. } => format!("reset that first: tiu etc reset /{above}"),
    NotRunning { next } =>
    format!("reboot into snapshot {next} first, or change it in a new snapshot: --in snapshot"),
    ReadOnly { .. } => "change it in a new snapshot: --in snapshot",
    Damaged { .. } => "apply an image, which makes a snapshot that is not a copy: tiu apply BUNDLE (with --force if it is \
        the same image); then run again",
    Unfinished(_) => "choose a finished one: tiu rollback N (tiu list shows them)",
    Differs(_) => "something else writes into /etc at the same time: run again",
} }
