//! The host: a btrfs root with snapper's snapshots, the running system or what is mounted at `--root`.
//!
//! What a host must be is checked here, once, each with its own error: everything later relies on it.

pub mod paths;
pub mod persistent;
pub mod tukit;

use crate::snapshots::snapper::{CONFIG, ListError, Snapper};
use rustix::fs::{Access, AtFlags, CWD, FlockOperation, Mode, OFlags};
use std::fs::Metadata;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiu_system::Hint;
use tiu_system::program::RunError;

/// `statfs` type of btrfs (linux/magic.h).
const BTRFS_MAGIC: u64 = 0x9123_683e;
/// `statfs` type of overlayfs (linux/magic.h).
const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Inode number of the root of every subvolume (btrfs_tree.h: `BTRFS_FIRST_FREE_OBJECTID`).
const SUBVOLUME_INODE: u64 = 256;
/// How long the programs of a tiu that was killed may hold its lock. snapper's take seconds on a busy disk.
const ORPHANS: Duration = Duration::from_secs(60);
/// How often a held lock is tried again.
const TICK: Duration = Duration::from_millis(20);

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

/// A checked host.
pub struct Host {
    root: PathBuf,
    live: bool,
    root_fd: OwnedFd,
    /// Of `.snapshots`; the host's lock is on it.
    snapshots_fd: Arc<OwnedFd>,
    /// How to run its snapper.
    pub snapper: Snapper,
}

/// Held while snapshots are made, removed or switched; let go when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(Arc<OwnedFd>, #[allow(dead_code)] Option<tukit::Lock>);

impl Drop for Lock {
    fn drop(&mut self) {
        // The descriptor lives on, as the host's.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Host {
    /// The running system (`None` or `/`), or what is mounted at `root`.
    pub fn open(root: Option<&Path>) -> Result<Self, HostError> {
        let given = root.unwrap_or(Path::new("/"));
        let io = |path: &Path, e: io::Error| HostError::Io { path: path.to_owned(), source: e };
        let root = given.canonicalize().map_err(|e| io(given, e))?;
        let live = root == Path::new("/");
        let root_fd = directory(&root).map_err(|e| io(&root, e))?;
        let found = fs_type(&root_fd).map_err(|e| io(&root, e))?;
        if found != BTRFS_MAGIC {
            return Err(HostError::NotBtrfs { root, found });
        }
        let none = |why: String| HostError::NoSnapshots { root: root.clone(), why };
        let path = root.join(".snapshots");
        let snapshots_fd = directory(&path).map_err(|e| none(e.to_string()))?;
        let metadata = path.metadata().map_err(|e| io(&path, e))?;
        if fs_type(&snapshots_fd).map_err(|e| io(&path, e))? != BTRFS_MAGIC
            || metadata.ino() != SUBVOLUME_INODE
        {
            return Err(none("it is a directory, not a mounted btrfs subvolume".into()));
        }
        let config = Path::new("etc/snapper/configs").join(CONFIG);
        if !root.join(&config).is_file() {
            return Err(HostError::NoSnapperConfig { path: Path::new("/").join(config), root });
        }
        let snapshots_fd = Arc::new(snapshots_fd);
        let snapper = Snapper::new((!live).then_some(root.as_path()), snapshots_fd.clone());
        Ok(Host { root, live, root_fd, snapshots_fd, snapper })
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is the running system.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The root's descriptor: what is mounted, with everything that is mounted over it.
    pub fn root_fd(&self) -> BorrowedFd<'_> {
        self.root_fd.as_fd()
    }

    /// Where the tree of snapshot `number` is, without what is mounted over it.
    pub fn snapshot_path(&self, number: u32) -> PathBuf {
        self.root.join(".snapshots").join(number.to_string()).join("snapshot")
    }

    /// Descriptor of `.snapshots`.
    pub fn snapshots_fd(&self) -> BorrowedFd<'_> {
        self.snapshots_fd.as_fd()
    }

    /// Refuses what would fail later, when snapshots are made.
    pub fn check_updatable(&self) -> Result<(), HostError> {
        let path = self.root.join(".snapshots");
        rustix::fs::accessat(&self.snapshots_fd, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|e| HostError::NotWritable { path, source: e.into() })?;
        let etc = self.root.join("etc");
        let found = directory(&etc)
            .and_then(|fd| fs_type(&fd))
            .map_err(|source| HostError::Io { path: etc.clone(), source })?;
        if found == OVERLAY_MAGIC {
            return Err(HostError::OverlayEtc { found: format!("it is mounted at {}", etc.display()) });
        }
        Ok(())
    }

    /// Takes the host's lock, which is on the directory `.snapshots` itself: the same inode, and so the same lock, for each mount
    /// of the host, and nothing is left behind. On the running system transactional-update's, too.
    ///
    /// Refused at once while another tiu runs. The programs of one that was killed are waited for.
    pub fn lock(&self) -> Result<Lock, HostError> {
        let path = self.root.join(".snapshots");
        let io = |source: io::Error| HostError::Io { path: path.clone(), source };
        let ours = path.metadata().map_err(io)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&self.snapshots_fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let mut lock = Lock(self.snapshots_fd.clone(), None);
                    lock.1 = self.live.then(lock_tukit).transpose()?;
                    return Ok(lock);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(e) => return Err(io(e.into())),
            }
            let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
            let holder = flock_holders(&locks, ours.ino()).into_iter().find(|pid| has_open(*pid, &ours));
            if holder.is_some() || began.elapsed() > ORPHANS {
                return Err(HostError::Locked { holder });
            }
            std::thread::sleep(TICK);
        }
    }
}

fn lock_tukit() -> Result<tukit::Lock, HostError> {
    tukit::lock().map_err(|refused| match refused {
        tukit::Refused::Busy(holder) => HostError::TukitRuns { holder },
        tukit::Refused::Io(path, source) => HostError::Io { path, source },
    })
}

/// Processes that hold an exclusive flock(2) on an inode of this number on some filesystem, from the text of `/proc/locks` (proc(5)).
/// The device there is not the one that stat(2) gives for a btrfs subvolume, so these may be holders of other files: see [`has_open`].
fn flock_holders(locks: &str, inode: u64) -> Vec<u32> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = fields[..] else { return None };
        (file.rsplit(':').next()?.parse() == Ok(inode)).then_some(pid.parse().ok()?)
    };
    locks.lines().filter_map(line).collect()
}

/// Whether the process has a descriptor of exactly this file.
fn has_open(pid: u32, file: &Metadata) -> bool {
    let same = |fd: std::fs::DirEntry| {
        let found = std::fs::metadata(fd.path());
        found.is_ok_and(|found| (found.dev(), found.ino()) == (file.dev(), file.ino()))
    };
    std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|fds| fds.flatten().any(same))
}

fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

fn fs_type(fd: impl AsFd) -> io::Result<u64> {
    // The field's type and sign differ between architectures; the value is a 32-bit pattern.
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64 & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_who_holds_the_lock() {
        let locks = "1: POSIX  ADVISORY  WRITE 9 00:19:256 0 EOF\n2: FLOCK  ADVISORY  WRITE 4143 00:2b:256 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 77 00:2b:256 0 EOF\n3: FLOCK  ADVISORY  READ 5 00:2b:256 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 6 00:2b:2567 0 EOF\nshort\n";
        assert_eq!(flock_holders(locks, 256), [4143]);
    }
}
