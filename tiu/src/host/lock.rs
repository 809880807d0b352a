//! The host's lock.

use super::error::HostError;
use super::open::Host;
use super::tukit;
use rustix::fs::FlockOperation;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the programs of a tiu that was killed may hold its lock. snapper's take seconds on a busy disk.
const ORPHANS: Duration = Duration::from_secs(60);
/// How often a held lock is tried again.
const TICK: Duration = Duration::from_millis(20);
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
    /// Takes the host's lock, which is on the directory `.snapshots` itself: the same inode, and so the same lock, for each mount
    /// of the host, and nothing is left behind. On the running system transactional-update's, too.
    ///
    /// Refused at once while another tiu runs. The programs of one that was killed are waited for.
    pub fn lock(&self) -> Result<Lock, HostError> {
        let path = self.root().join(".snapshots");
        let io = |source: io::Error| HostError::Io { path: path.clone(), source };
        let ours = path.metadata().map_err(io)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&self.snapshots_fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let mut lock = Lock(self.snapshots_fd.clone(), None);
                    lock.1 = self.is_live().then(lock_tukit).transpose()?;
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
