//! The errors of applying an image.

use crate::boot::initrd::InitrdError;
use crate::boot::{BootError, NotBootable};
use crate::config::NotAccepted;
use crate::draft::{DraftError, LeftBehind};
use crate::etc::{MergeError, PristineError, ReportError};
use crate::host::persistent::PersistentError;
use crate::host::{Hidden, HostError};
use crate::incoming::Mismatch;
use crate::labels::Unlabelable;
use crate::snapshots::SnapshotError;
use crate::state::{RecordError, StateError};
use std::io;
use tiu_extract::{Difference, EngineError, ImageError};
use tiu_source::OpenError;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::program::RunError;
use tiu_system::progress::Cancelled;
use tiu_system::tree::TreeError;

/// The reason why an image was not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ApplyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The base's own files cannot be used.
    #[error("snapshot {}, from which the update starts: {}", .0.number, .0.source)]
    Base(#[from] StateError),
    /// The draft's own files cannot be used, although the base's could.
    #[error("the new {0}")]
    Copy(StateError),
    /// The snapshot that boots next was never finished.
    #[error("snapshot {0} boots next, but tiu never finished it")]
    BaseUnfinished(u32),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Persistent(#[from] PersistentError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Pristine(#[from] PristineError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Initrd(#[from] InitrdError),
    #[error(transparent)]
    Boot(#[from] BootError),
    /// Another program's snapshot cannot be filled.
    #[error("snapshot {number} cannot be filled with the image: {why}")]
    OtherTarget { number: u32, why: &'static str },
    /// A part that the new snapshot's boot needs is missing.
    #[error("the new snapshot would not boot: {0}")]
    NotBootable(#[from] NotBootable),
    /// The host uses SELinux, and the new snapshot would not be labelled.
    #[error("this host uses SELinux, and the new snapshot would not be labelled: {0}")]
    Unlabelable(Unlabelable),
    /// setfiles failed.
    #[error("what was made on the host was not labelled: {0}")]
    Setfiles(RunError),
    /// The policy has no label for a file.
    #[error("{path} has no SELinux label: the policy {policy} has none for it")]
    NoLabel { path: String, policy: String },
    /// A label is not what was set.
    #[error("{path}: found the SELinux label {found}, expected {expected}")]
    LabelNotKept { path: String, found: String, expected: String },
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Hidden(#[from] Hidden),
    /// A swap file of fstab is in the snapshot.
    #[error("{path} is swap in /etc/fstab and lies in the snapshot: the new snapshot would not have it")]
    Swap { path: String },
    /// A swap file in the snapshot is in use.
    #[error("{path} is active swap and lies in the snapshot: btrfs makes no snapshot of it")]
    ActiveSwap { path: String },
    /// The filesystem is too full.
    #[error("the image needs {} MiB more, and {} MiB are free", needed.div_ceil(1 << 20), free >> 20)]
    NoSpace {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// A quota leaves too little.
    #[error(
        "the quota of btrfs qgroup {qgroup} leaves {} MiB, and the image needs {} MiB more",
        left >> 20,
        needed.div_ceil(1 << 20)
    )]
    Quota {
        qgroup: String,
        /// Bytes.
        needed: u64,
        /// Bytes.
        left: u64,
    },
    /// dracut failed.
    #[error("the initrd for kernel {kernel} was not made: {source}")]
    Dracut { kernel: String, source: RunError },
    /// The new snapshot is not what the image says.
    #[error("the new snapshot differs from the image in {} place{}: {}", .0.len(), if .0.len() == 1 { "" } else { "s" }, first_difference(.0))]
    Differs(Vec<Difference>),
    /// The host would not accept an image of this signer again.
    #[error("the next update would be refused, because the new snapshot does not accept this image: {0}")]
    NextTrust(NotAccepted),
    /// The plan of a dry run could not be written.
    #[error("writing the plan: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind<ApplyError>),
}

/// Returns the first few differences as text.
fn first_difference(differences: &[Difference]) -> String {
    let shown = differences
        .iter()
        .take(5)
        .map(|d| format!("{} ({}: found {}, expected {})", d.path, d.what, d.found, d.expected));
    shown.collect::<Vec<_>>().join("; ")
}

hints! { ApplyError {
    forward Open, Image, Mismatch, Host, Snapshot, Base, Copy, Tree, Record, Persistent, Merge, Report, Pristine, Engine, Initrd, Boot, NotBootable, Hidden, Unlabelable, Draft, LeftBehind, Cancelled;
    NextTrust(_) =>
    "keep the certificate in the image's /usr/lib/tiu/keyring or in the host's keyring; if the trust is to \
     change: --allow-trust-change",
    BaseUnfinished(_) =>
    "choose a finished one: tiu rollback N (tiu list shows them)",
    OtherTarget { .. } => "start from what runs and boots next: reboot, then run again",
    Quota { .. } => errno::hint_of_output("Disk quota exceeded").unwrap_or_default(),
    NoSpace { .. } =>
    "delete snapshots that are no longer needed (tiu list, snapper delete N)",
    Dracut { source: source @ (RunError::Missing { .. } | RunError::Start { .. } | RunError::Timeout { .. }), .. } =>
        source.hint(),
    Dracut { .. } => "correct what dracut names above: in /etc/dracut.conf.d of the host if it is the host's own, else \
        in the image; nothing has changed",
    Setfiles(source @ (RunError::Missing { .. } | RunError::Start { .. } | RunError::Timeout { .. })) =>
        source.hint(),
    Setfiles(_) => "correct what setfiles names above: in the policy of the image, or in the host's own files below \
        /etc/selinux; nothing has changed",
    NoLabel { path, .. } => format!(
        "give it one in the image's policy, or on the host: semanage fcontext -a -t TYPE {path}"
    ),
    Swap { path } => format!(
        "put it into a subvolume of its own that fstab mounts, or name {path} under host-paths in tiu.yaml"
    ),
    ActiveSwap { path } => format!(
        "end it with swapoff {path}, then put it into a subvolume of its own that fstab mounts"
    ),
    LabelNotKept { .. } => "see whether the filesystem keeps extended attributes, and what the running policy allows",
    Differs(_) =>
    "something wrote into the snapshot while it was made, or the disk is failing (dmesg); run again",
    Output(_) => "see whether the output's file or pipe can still be written",
} }
