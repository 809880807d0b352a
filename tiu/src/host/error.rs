//! The errors of a root that cannot be updated, or not now.

use super::snapper::ListError;
use std::io;
use std::path::PathBuf;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::program::RunError;

/// `statfs` type of btrfs (linux/magic.h).
pub(super) const BTRFS_MAGIC: u64 = 0x9123_683e;

/// A root that cannot be updated, or not now.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum HostError {
    /// A path of the host cannot be used.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The root is on another filesystem.
    #[error("{} is not on btrfs: its filesystem has type {found:#x}, expected {BTRFS_MAGIC:#x}", root.display())]
    NotBtrfs {
        root: PathBuf,
        /// Type that statfs(2) returns.
        found: u64,
    },
    /// The host has no snapshots.
    #[error("{} has no .snapshots with the host's snapshots: {why}", root.display())]
    NoSnapshots { root: PathBuf, why: String },
    /// Snapshots cannot be made.
    #[error("{} is not writable: {source}", path.display())]
    NotWritable {
        /// `.snapshots`.
        path: PathBuf,
        source: io::Error,
    },
    /// Something else is where tiu's own files are.
    #[error("{} is {found}, expected {expected} that belongs to root", path.display())]
    Home { path: PathBuf, found: &'static str, expected: &'static str },
    /// snapper has no configuration for the root.
    #[error("snapper is not configured for {}: {} is missing", root.display(), path.display())]
    NoSnapperConfig { root: PathBuf, path: PathBuf },
    /// `/etc` is an overlay whose upper layer is outside of the snapshot.
    #[error("/etc of the host is an overlay ({found}); tiu needs an /etc that lies in the snapshot")]
    OverlayEtc { found: String },
    /// The root's snapshots do not contain the `/etc` that the host uses.
    #[error("/etc of the host is a filesystem of its own ({device}): it is not in the snapshots of the root")]
    SeparateEtc {
        /// The mounted device.
        device: String,
    },
    /// The root's snapshots do not contain `/usr`.
    #[error("/usr of the host is a filesystem of its own ({device}): it is not in the snapshots of the root")]
    SeparateUsr {
        /// The mounted device.
        device: String,
    },
    /// The default subvolume is not one of snapper's snapshots.
    #[error("the default subvolume of {} is {found:?}, which is not one of snapper's snapshots", root.display())]
    DefaultIsNoSnapshot {
        root: PathBuf,
        /// Path of the default subvolume.
        found: String,
    },
    /// An entry of snapper's, or its file about a snapshot, is a fifo, a device or a directory.
    #[error("{} is not {expected}: snapper would wait for it, or fail", path.display())]
    SnapperEntry { path: PathBuf, expected: &'static str },
    /// snapper does not list the snapshot that boots next.
    #[error(
        "snapshot {number} boots next, but snapper does not list it: {} {what}",
        path.display()
    )]
    InfoXml {
        number: u32,
        /// snapper's file about the snapshot.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// Another tiu is working on this host.
    #[error("another tiu is running on this host{}", holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    Locked {
        /// Its process, if it is visible.
        holder: Option<u32>,
    },
    /// transactional-update is running on the running system.
    #[error("transactional-update is running on this system{}", holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    TukitRuns {
        /// Its process, if it is visible.
        holder: Option<u32>,
    },
    /// snapper could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// snapper's table was not understood.
    #[error(transparent)]
    List(#[from] ListError),
}

hints! { HostError {
    forward Run;
    Io { source, .. } =>
        errno::hint(source).unwrap_or("see whether the path exists, and whether tiu runs as root"),
    NotBtrfs { .. } => "tiu keeps images as btrfs snapshots; install a host for it with btrfs as root \
        (--root DIR for another host)",
    NoSnapshots { root, .. } => format!(
        "mount the host's snapshots at {0}, as its fstab does: mount -o subvol=@/.snapshots DEVICE {0}",
        root.join(".snapshots").display()
    ),
    NotWritable { .. } =>
        "mount it read-write; `lsattr -d` shows the immutable and the append-only attribute, `chattr -i -a` removes them; `btrfs property get` shows ro",
    Home { .. } => "see what it is, then remove it; tiu makes it again",
    NoSnapperConfig { root, .. } => {
        format!("make one: snapper --no-dbus --root {} create-config /", root.display())
    },
    OverlayEtc { .. } =>
        "update the host to transactional-update 5 or later, which keeps /etc in the snapshot",
    SeparateEtc { .. } => "copy what it holds into /etc of the snapshot that boots next, then remove the mount from \
        fstab",
    SeparateUsr { .. } => "move /usr into the root's filesystem",
    DefaultIsNoSnapshot { .. } =>
        "boot from a snapshot: btrfs subvolume set-default .snapshots/N/snapshot of the one to start from",
    InfoXml { number, path, .. } => format!(
        "write it again: printf '<?xml version=\"1.0\"?>\\n<snapshot><type>single</type><num>{number}</num>\
         <date>1970-01-01 00:00:00</date></snapshot>\\n' >{}",
        path.display()
    ),
    SnapperEntry { path, .. } => format!("remove it (rm {}), then run again", path.display()),
    Locked { .. } => "wait until it is done, or end it; it cleans up after itself",
    TukitRuns { .. } => "wait until it is done: systemctl status transactional-update.service",
    List(_) => "run snapper --jsonout list by hand to see what it prints",
} }
