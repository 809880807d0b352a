//! Why `tiu etc` failed.

use super::pristine::PristineError;
use super::report::ReportError;
use super::state::ReadError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use crate::state::provenance::ProvenanceError;
use crate::state::record::RecordError;
use crate::transaction::ApplyError;
use tiu_cli::exit;
use tiu_extract::{Difference, EngineError};
use tiu_system::Hint;
use tiu_system::tree::TreeError;

/// Why `tiu etc` failed.
#[derive(Debug, thiserror::Error)]
pub enum EtcError {
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// See [`RecordError`].
    #[error(transparent)]
    Record(#[from] RecordError),
    /// See [`ReportError`].
    #[error(transparent)]
    Report(#[from] ReportError),
    /// See [`PristineError`].
    #[error(transparent)]
    Pristine(#[from] PristineError),
    /// See [`EngineError`].
    #[error("/etc: {0}")]
    Engine(#[from] EngineError),
    /// No image was applied in the snapshot, so there are no defaults.
    #[error("snapshot {0} was not made by tiu: the defaults of its /etc are not known")]
    NoImage(u32),
    /// The snapshot was made by a tiu that kept no report.
    #[error("snapshot {0} has no report of a merge")]
    NoReport(u32),
    /// Its own manifest or index cannot be used.
    #[error("snapshot {number}: {source}")]
    Provenance {
        /// Which.
        number: u32,
        /// Why.
        source: ProvenanceError,
    },
    /// What was asked for is not in `/etc`.
    #[error("{found:?} is no path in /etc")]
    NotEtc {
        /// As given.
        found: String,
    },
    /// There is nothing to go back to, and nothing to go back from.
    #[error("/{path} is neither there nor in the image of snapshot {number}")]
    NoSuchPath {
        /// Path.
        path: String,
        /// Snapshot.
        number: u32,
    },
    /// What was to be kept is not among the conflicts.
    #[error("/{path} is no conflict in snapshot {number}")]
    NoConflict {
        /// Path.
        path: String,
        /// Snapshot.
        number: u32,
    },
    /// Users and groups have no version to go back to.
    #[error("/{path} is merged by entry: the image's version would take the host's users and groups away")]
    Accounts {
        /// Path.
        path: &'static str,
    },
    /// A directory that it lies in is something else on the host.
    #[error("/{path} cannot be reset: on the host, /{above} is a {found}, in the image a directory")]
    NoDirectory {
        /// Path.
        path: String,
        /// What should be a directory.
        above: String,
        /// What it is.
        found: tiu_bundle::index::Kind,
    },
    /// `/etc` is the running system's, and what boots next is another snapshot.
    #[error("snapshot {next} boots next, so a change of the running system's /etc would not be in it")]
    NotRunning {
        /// What boots next.
        next: u32,
    },
    /// `/etc` of what runs cannot be written.
    #[error("/etc of snapshot {number} is read-only")]
    ReadOnly {
        /// Which.
        number: u32,
    },
    /// The base of the change was never finished.
    #[error("snapshot {0} boots next, but tiu never finished it")]
    Unfinished(u32),
    /// Afterwards it was not as it should be.
    #[error("/etc differs from what it was to become in {} place{}, first {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, .0.first().map_or("", |d| &d.path))]
    Differs(Vec<Difference>),
    /// See [`ApplyError`].
    #[error(transparent)]
    Commit(#[from] Box<ApplyError>),
    /// An error, and the unfinished snapshot could not be removed either.
    #[error("{error}\n  and removing the unfinished snapshot {number} failed: {cleanup}")]
    CleanUp {
        /// What happened first.
        error: Box<EtcError>,
        /// The snapshot that is still there.
        number: u32,
        /// Why it is still there.
        cleanup: Box<SnapshotError>,
    },
}

impl From<ReadError> for EtcError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Tree(e) => e.into(),
            ReadError::Engine(e) => e.into(),
        }
    }
}

impl EtcError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            EtcError::Engine(EngineError::Cancelled(_)) => exit::CANCELLED,
            EtcError::Commit(e) => e.exit_code(),
            EtcError::CleanUp { error, .. } => error.exit_code(),
            _ => exit::FAILED,
        }
    }
}

impl Hint for EtcError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            EtcError::Snapshot(e) => return e.hint(),
            EtcError::Host(e) => return e.hint(),
            EtcError::Tree(e) => return e.hint(),
            EtcError::Record(e) => return e.hint(),
            EtcError::Report(e) => return e.hint(),
            EtcError::Pristine(e) => return e.hint(),
            EtcError::Engine(e) => return e.hint(),
            EtcError::Provenance { source, .. } => return source.hint(),
            EtcError::Commit(e) => return e.hint(),
            EtcError::NoImage(_) | EtcError::NoReport(_) => {
                "tiu list shows which snapshots hold images; name one with --snapshot".into()
            }
            EtcError::NotEtc { .. } => "give it as an absolute path in the host, like /etc/fstab".into(),
            EtcError::NoSuchPath { .. } => "tiu etc diff shows what differs".into(),
            EtcError::NoConflict { .. } => {
                "tiu etc conflicts shows them; what differs from the image stays as it is anyway".into()
            }
            EtcError::Accounts { .. } => {
                "change entries with usermod, groupmod, userdel, ...; the image's file is /usr/lib/sysimage/tiu/etc/passwd and so on".into()
            }
            EtcError::NoDirectory { above, .. } => format!("reset that first: tiu etc reset /{above}"),
            EtcError::NotRunning { next } => {
                format!("reboot into snapshot {next} first, or change it in a new snapshot: --in snapshot")
            }
            EtcError::ReadOnly { .. } => "change it in a new snapshot: --in snapshot".into(),
            EtcError::Unfinished(_) => "choose a finished one: tiu rollback N (tiu list shows them)".into(),
            EtcError::Differs(_) => "something else writes into /etc at the same time: run again".into(),
            EtcError::CleanUp { error, .. } => match error.hint() {
                Some(hint) => format!("{hint}; then remove what is left: tiu cleanup"),
                None => "remove what is left: tiu cleanup".into(),
            },
        })
    }
}
