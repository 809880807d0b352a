//! The errors of updates inside transactional-update.

use crate::boot::BootError;
use crate::host::HostError;
use crate::snapshots::SnapshotError;
use crate::state::{RecordError, StateError};
use crate::transaction::ApplyError;
use crate::verify::VerifyError;
use std::io;
use std::path::PathBuf;
use tiu_extract::Difference;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::program::RunError;
use tiu_system::tree::TreeError;

/// The reason why an update inside transactional-update failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum TukitError {
    /// The caller left something out.
    #[error("tukit-event {stage}: found {found:?}, expected the arguments of tukit 6.1")]
    Arguments { stage: String, found: Vec<String> },
    /// tukit would not call tiu.
    #[error("transactional-update would not call tiu: {} is {found}", path.display())]
    Plugin { path: PathBuf, found: &'static str },
    /// It runs inside transactional-update.
    #[error("this runs inside transactional-update, which cannot start itself")]
    Nested,
    /// Another run is under way.
    #[error("another tiu update --tukit is running")]
    Busy,
    /// The base of transactional-update is what runs.
    #[error(
        "snapshot {next} boots next and does not run: transactional-update would start from what runs, and lose it"
    )]
    NotRunning { next: u32 },
    /// The snapshot is not where tukit says that it is.
    #[error("{} is not the mounted snapshot {number}: {why}", bind.display())]
    Bind { bind: PathBuf, number: u32, why: String },
    /// The plugin was called for another snapshot than before.
    #[error("snapshot {number} was not filled by tiu")]
    NotFilled { number: u32 },
    /// transactional-update works for minutes: a server may be gone then.
    #[error("{bundle} is not a file, and only files are applied by transactional-update")]
    NotAFile { bundle: String },
    /// The image is no longer the one that was chosen.
    #[error("{} has another image than the one that was chosen", bundle.display())]
    OtherImage { bundle: PathBuf },
    /// transactional-update ended well, but the image is not in its snapshot.
    #[error("transactional-update ended without an error, but the image is not in what boots next")]
    Unused,
    /// transactional-update failed because the plugin did.
    #[error("transactional-update gave up because of tiu's plugin: {reason}")]
    PluginFailed { reason: String },
    /// transactional-update failed.
    #[error("transactional-update failed: {0}")]
    Failed(RunError),
    /// The snapshot is not what the image says.
    #[error(
        "snapshot {number} differs from the image after transactional-update worked in it: {}",
        shown(differences)
    )]
    Differs { number: u32, differences: Vec<Difference> },
    /// The snapshot would not boot.
    #[error("snapshot {number} would not boot: {lacks}")]
    NotBootable {
        number: u32,
        /// The missing part.
        lacks: String,
    },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Boot(#[from] BootError),
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Returns the first few differences as text.
fn shown(differences: &[Difference]) -> String {
    let shown = differences
        .iter()
        .take(5)
        .map(|d| format!("{} ({}: found {}, expected {})", d.path, d.what, d.found, d.expected));
    shown.collect::<Vec<_>>().join("; ")
}

hints! { TukitError {
    forward Apply, Host, Snapshot, State, Record, Verify, Boot, Tree;
    Arguments { .. } => "only tukit calls this, as its doc/tukit-plugins.md says",
    Plugin { .. } => "install snapper-hooks/tukit/tiu as /usr/lib/tukit/plugins/tiu, or update without --tukit",
    Nested => "call tiu outside of it",
    Busy => "wait until it is done",
    NotRunning { .. } => "reboot, or update without --tukit: that starts from what boots next",
    Bind { .. } | NotFilled { .. } => "run tiu update --tukit again; nothing has changed",
    NotAFile { .. } => "download it first, or update without --tukit",
    OtherImage { .. } => "the source changed meanwhile: run again",
    Unused => "tiu rollback goes back; journalctl -t transactional-update shows what was done",
    PluginFailed { .. } => "nothing has changed; correct that, or update without --tukit",
    Failed(error @ RunError::Missing { .. }) => error.hint(),
    Failed(_) => "see /var/log/transactional-update.log",
    Differs { .. } => "another plugin of tukit, or a command of transactional-update, changed the image's files",
    NotBootable { .. } => "the image or the initrd lacks it; nothing has changed",
    Io { source, .. } => errno::hint(source).unwrap_or("see whether /run/tiu can be written"),
} }
