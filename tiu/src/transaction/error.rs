//! Why a bundle was not applied. Every error but those of `commit` leaves the host as it was.

use crate::accounts::Problem;
use crate::accounts::sysusers::SysusersError;
use crate::boot::initrd::InitrdError;
use crate::etc::lists::ListsError;
use crate::etc::pristine::PristineError;
use crate::etc::report::ReportError;
use crate::etc::state::ReadError;
use crate::host::HostError;
use crate::host::persistent::PersistentError;
use crate::incoming::identity::Mismatch;
use crate::snapshots::SnapshotError;
use crate::state::provenance::ProvenanceError;
use crate::state::record::RecordError;
use std::io;
use tiu_bundle::bundle::OpenError;
use tiu_cli::exit;
use tiu_extract::{Difference, EngineError, ImageError};
use tiu_system::Hint;
use tiu_system::program::RunError;
use tiu_system::tree::TreeError;

/// Why a bundle was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// See [`OpenError`].
    #[error(transparent)]
    Open(#[from] OpenError),
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    /// See [`Mismatch`].
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The base's own manifest or index cannot be used.
    #[error("snapshot {number}, from which the update starts: {source}")]
    Base {
        /// The base.
        number: u32,
        /// Cause.
        source: ProvenanceError,
    },
    /// The base was never finished.
    #[error("snapshot {number} boots next, but tiu never finished it")]
    BaseUnfinished {
        /// The base.
        number: u32,
    },
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// See [`RecordError`].
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The image lacks a directory that every system has, or it is no directory.
    #[error("the image has no directory /{0}")]
    NoDirectory(&'static str),
    /// What the administrator and the image have in `/etc` cannot both be.
    #[error("/etc cannot be merged in {} place{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
    EtcClash(Vec<crate::etc::decision::Clash>),
    /// See [`PersistentError`].
    #[error(transparent)]
    Persistent(#[from] PersistentError),
    /// See [`ListsError`].
    #[error(transparent)]
    Lists(#[from] ListsError),
    /// See [`ReportError`].
    #[error(transparent)]
    Report(#[from] ReportError),
    /// See [`PristineError`].
    #[error(transparent)]
    Pristine(PristineError),
    /// See [`EngineError`].
    #[error(transparent)]
    Engine(EngineError),
    /// See [`InitrdError`].
    #[error(transparent)]
    Initrd(#[from] InitrdError),
    /// Users and groups of the host and of the image cannot both be.
    #[error("users and groups cannot be merged in {} place{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
    Accounts(Vec<Problem>),
    /// A file of users or groups is something else.
    #[error("the {whose}'s /{path} is a {found}, not a regular file")]
    AccountFile {
        /// `host`, `image`.
        whose: &'static str,
        /// Path.
        path: &'static str,
        /// What it is.
        found: tiu_bundle::index::Kind,
    },
    /// See [`SysusersError`].
    #[error(transparent)]
    Sysusers(#[from] SysusersError),
    /// The filesystem is too full.
    #[error("the image needs {} MiB more, and {} MiB are free", needed.div_ceil(1 << 20), free >> 20)]
    NoSpace {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// dracut failed.
    #[error("the initrd for kernel {kernel} was not made: {source}")]
    Dracut {
        /// Version.
        kernel: String,
        /// Cause, with dracut's last lines.
        source: RunError,
    },
    /// The new snapshot is not what the image says.
    #[error("the new snapshot differs from the image in {} place{}: {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, first(.0))]
    Differs(Vec<Difference>),
    /// Syncing the filesystem failed.
    #[error("syncing the filesystem: {0}")]
    Sync(io::Error),
    /// What was to be shown could not be written.
    #[error("writing the plan: {0}")]
    Output(io::Error),
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
    /// An error, and the unfinished snapshot could not be removed either.
    #[error("{error}\n  and removing the unfinished snapshot {number} failed: {cleanup}")]
    CleanUp {
        /// What happened first.
        error: Box<ApplyError>,
        /// The snapshot that is still there.
        number: u32,
        /// Why it is still there.
        cleanup: Box<SnapshotError>,
    },
}

/// Each on a line of its own.
fn lines(all: &[impl std::fmt::Display]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

/// The first few differences.
fn first(differences: &[Difference]) -> String {
    let shown = differences
        .iter()
        .take(5)
        .map(|d| format!("{} ({}: found {}, expected {})", d.path, d.what, d.found, d.expected));
    shown.collect::<Vec<_>>().join("; ")
}

impl ApplyError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            ApplyError::Mismatch(Mismatch::Same { .. }) => exit::NOTHING_TO_DO,
            ApplyError::Cancelled => exit::CANCELLED,
            ApplyError::CleanUp { error, .. } => error.exit_code(),
            _ => exit::FAILED,
        }
    }
}

impl From<EngineError> for ApplyError {
    fn from(e: EngineError) -> Self {
        match e {
            EngineError::Cancelled(_) => ApplyError::Cancelled,
            other => ApplyError::Engine(other),
        }
    }
}

impl From<ReadError> for ApplyError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

impl From<PristineError> for ApplyError {
    fn from(e: PristineError) -> Self {
        match e {
            PristineError::Engine(EngineError::Cancelled(_)) => ApplyError::Cancelled,
            other => ApplyError::Pristine(other),
        }
    }
}

impl Hint for ApplyError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            ApplyError::Open(e) => return e.hint(),
            ApplyError::Image(e) => return e.hint(),
            ApplyError::Mismatch(e) => return e.hint(),
            ApplyError::Host(e) => return e.hint(),
            ApplyError::Snapshot(e) => return e.hint(),
            ApplyError::Base { source, .. } => return source.hint(),
            ApplyError::BaseUnfinished { .. } => "choose a finished one: tiu rollback N (tiu list shows them)".into(),
            ApplyError::Tree(e) => return e.hint(),
            ApplyError::Record(e) => return e.hint(),
            ApplyError::NoDirectory(_) => {
                "build the image with it: `tiu-create pack` packs a whole root tree and adds what tiu needs".into()
            }
            ApplyError::EtcClash(_) => {
                "for each of them, move what is the administrator's out of the directory (or out of the image's way) on the host, then run again; \
                 or list it in tiu.yaml under etc: always-image, and the image's version replaces the directory"
                    .into()
            }
            ApplyError::Persistent(e) => return e.hint(),
            ApplyError::Lists(e) => return e.hint(),
            ApplyError::Report(e) => return e.hint(),
            ApplyError::Pristine(e) => return e.hint(),
            ApplyError::Engine(e) => return e.hint(),
            ApplyError::Initrd(e) => return e.hint(),
            ApplyError::Accounts(problems) => {
                let mut hints: Vec<String> = problems.iter().filter_map(Hint::hint).collect();
                hints.dedup();
                hints.join("; ")
            }
            ApplyError::AccountFile { whose: "host", path, .. } => format!(
                "make /{path} a regular file with the host's entries; users from elsewhere come through nsswitch.conf, not through a link"
            ),
            ApplyError::AccountFile { .. } => "ask the image's maker: programs of the image's own would replace it, too".into(),
            ApplyError::Sysusers(e) => return e.hint(),
            ApplyError::NoSpace { .. } => "delete snapshots that are no longer needed (tiu list, snapper delete N)".into(),
            ApplyError::Dracut { kernel, .. } => {
                format!("see what dracut says above; `tiu apply` with initrd: none in tiu.yaml leaves it out (kernel {kernel})")
            }
            ApplyError::Differs(_) => {
                "something wrote into the snapshot while it was made, or the disk is failing (dmesg); run again".into()
            }
            ApplyError::Sync(_) => "the disk may be failing: see dmesg".into(),
            ApplyError::Output(_) => "see whether the output's file or pipe can still be written".into(),
            ApplyError::Cancelled => return None,
            ApplyError::CleanUp { error, .. } => match error.hint() {
                Some(hint) => format!("{hint}; then remove what is left: tiu cleanup"),
                None => "remove what is left: tiu cleanup".into(),
            },
        };
        Some(text)
    }
}
