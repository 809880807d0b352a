//! Why a root cannot be updated, or not now.

use super::snapper::ListError;
use std::io;
use std::path::PathBuf;
use tiu_system::Hint;
use tiu_system::program::RunError;

/// `statfs` type of btrfs (linux/magic.h).
pub(super) const BTRFS_MAGIC: u64 = 0x9123_683e;

/// Why a root cannot be updated, or not now.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A path of the host cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The root is on another filesystem.
    #[error("{} is not on btrfs: its filesystem has type {found:#x}, expected {BTRFS_MAGIC:#x}", root.display())]
    NotBtrfs {
        /// The host's root.
        root: PathBuf,
        /// Type that statfs(2) gives.
        found: u64,
    },
    /// There are no snapshots.
    #[error("{} has no .snapshots with the host's snapshots: {why}", root.display())]
    NoSnapshots {
        /// The host's root.
        root: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// Snapshots cannot be made.
    #[error("{} is not writable: {source}", path.display())]
    NotWritable {
        /// `.snapshots`.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// snapper does not know the root.
    #[error("snapper is not configured for {}: {} is missing", root.display(), path.display())]
    NoSnapperConfig {
        /// The host's root.
        root: PathBuf,
        /// The configuration.
        path: PathBuf,
    },
    /// `/etc` is an overlay, of which the upper layer lies outside of the snapshot.
    #[error("/etc of the host is an overlay ({found}); tiu needs an /etc that lies in the snapshot")]
    OverlayEtc {
        /// Where that was seen.
        found: String,
    },
    /// `/usr` is not in the root's snapshots.
    #[error("/usr of the host is a filesystem of its own ({device}): it is not in the snapshots of the root")]
    SeparateUsr {
        /// What is mounted there.
        device: String,
    },
    /// What boots is not a snapshot of snapper.
    #[error("the default subvolume of {} is {found:?}, which is none of snapper's snapshots", root.display())]
    DefaultIsNoSnapshot {
        /// The host's root.
        root: PathBuf,
        /// Path of the default subvolume.
        found: String,
    },
    /// Another tiu works on this host.
    #[error("another tiu works on this host{}", holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    Locked {
        /// Its process, where it can be seen.
        holder: Option<u32>,
    },
    /// transactional-update works on the running system.
    #[error("transactional-update works on this system{}", holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    TukitRuns {
        /// Its process, where it can be seen.
        holder: Option<u32>,
    },
    /// snapper could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// snapper's answer was not understood.
    #[error(transparent)]
    List(#[from] ListError),
}

impl Hint for HostError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            HostError::Io { .. } => "see whether the path exists, and whether tiu runs as root".into(),
            HostError::NotBtrfs { .. } => "tiu keeps images as btrfs snapshots; a host for it is installed with btrfs as root (--root DIR for another one)".into(),
            HostError::NoSnapshots { root, .. } => format!(
                "mount the host's snapshots at {0}, as its fstab does: mount -o subvol=@/.snapshots DEVICE {0}",
                root.join(".snapshots").display()
            ),
            HostError::NotWritable { .. } => {
                "mount it read-write; see lsattr -d for the immutable attribute and btrfs property get for ro".into()
            }
            HostError::NoSnapperConfig { root, .. } => format!("make one: snapper --no-dbus --root {} create-config /", root.display()),
            HostError::OverlayEtc { .. } => {
                "update the host to transactional-update 5 or later, which keeps /etc in the snapshot".into()
            }
            HostError::SeparateUsr { .. } => "move /usr into the root's filesystem".into(),
            HostError::DefaultIsNoSnapshot { .. } => {
                "boot from a snapshot: btrfs subvolume set-default .snapshots/N/snapshot of the one to start from".into()
            }
            HostError::Locked { .. } => "wait until it is done, or end it; it cleans up after itself".into(),
            HostError::TukitRuns { .. } => {
                "wait until it is done: systemctl status transactional-update.service".into()
            }
            HostError::Run(e) => return e.hint(),
            HostError::List(_) => "run snapper --jsonout list by hand to see what it prints".into(),
        })
    }
}
