//! The host's lock, which excludes other runs of tiu and, on the running system, of
//! transactional-update.

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

/// The time for which programs of a killed tiu may still hold its lock. snapper takes seconds on a
/// busy disk.
const ORPHANS: Duration = Duration::from_secs(60);
/// The time between two attempts to take a held lock.
const TICK: Duration = Duration::from_millis(20);

/// The lock, held while snapshots are made, removed or switched. It is released when it is dropped
/// or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    snapshots_fd: Arc<OwnedFd>,
    _tukit: Option<tukit::TukitLock>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The descriptor stays open: the host holds it.
        let _ = rustix::fs::flock(&self.snapshots_fd, FlockOperation::Unlock);
    }
}

impl Host {
    /// Takes the host's lock. It is on the directory `.snapshots` itself, so each mount of the host
    /// has the same lock, and nothing is left behind. On the running system, takes
    /// transactional-update's lock too.
    ///
    /// Fails at once while another tiu runs. Waits for the programs of a tiu that was killed.
    pub fn lock(&self) -> Result<Lock, HostError> {
        let path = self.root().join(".snapshots");
        let io = |source: io::Error| HostError::Io { path: path.clone(), source };
        let ours = path.metadata().map_err(io)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&self.snapshots_fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let mut lock = Lock { snapshots_fd: self.snapshots_fd.clone(), _tukit: None };
                    lock._tukit = self.is_live().then(lock_tukit).transpose()?;
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

fn lock_tukit() -> Result<tukit::TukitLock, HostError> {
    tukit::lock().map_err(|error| match error {
        tukit::LockError::Busy(holder) => HostError::TukitRuns { holder },
        tukit::LockError::Io(path, source) => HostError::Io { path, source },
    })
}

/// Returns the processes that hold an exclusive flock(2) on an inode with this number on any
/// filesystem, from the text of `/proc/locks` (proc(5)). The device there is not the one that
/// stat(2) returns for a btrfs subvolume, so these processes may hold locks of other files: see
/// [`has_open`].
fn flock_holders(locks: &str, inode: u64) -> Vec<u32> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = fields[..] else { return None };
        (file.rsplit(':').next()?.parse() == Ok(inode)).then_some(pid.parse().ok()?)
    };
    locks.lines().filter_map(line).collect()
}

/// Returns whether the process has a descriptor of exactly this file.
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
    fn the_holder_of_the_lock_is_found() {
        let locks = "1: POSIX  ADVISORY  WRITE 9 00:19:256 0 EOF\n2: FLOCK  ADVISORY  WRITE 4143 00:2b:256 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 77 00:2b:256 0 EOF\n3: FLOCK  ADVISORY  READ 5 00:2b:256 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 6 00:2b:2567 0 EOF\nshort\n";
        assert_eq!(flock_holders(locks, 256), [4143]);
    }
}
