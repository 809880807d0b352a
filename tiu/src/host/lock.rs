//! The host's lock, which excludes other runs of tiu and, on the running system, of
//! transactional-update.

use super::error::HostError;
use super::held::HeldFile;
use super::open::Host;
use super::tukit;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Name of the lock's file in tiu's own directory.
const LOCK: &str = "lock";
/// The time for which programs of a killed tiu may still hold its lock. snapper takes seconds on a
/// busy disk.
const ORPHANS: Duration = Duration::from_secs(60);
/// The time between two attempts to take a held lock.
const TICK: Duration = Duration::from_millis(20);

/// The lock, held while snapshots are made, removed or switched. It is released when it is dropped
/// or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    held: HeldFile,
    _tukit: Option<tukit::TukitLock>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A program that still runs has the same open file.
        if let Some(file) = self.held.replace(None) {
            let _ = rustix::fs::flock(file, FlockOperation::Unlock);
        }
    }
}

impl Host {
    /// Takes the host's lock. It is a file in `.snapshots` that only root can open, so each mount
    /// of the host has the same lock, and nobody else can hold it. On the running system, takes
    /// transactional-update's lock too.
    ///
    /// Fails at once while another tiu runs. Waits for the programs of a tiu that was killed.
    pub fn lock(&self) -> Result<Lock, HostError> {
        let began = Instant::now();
        loop {
            let home = self.make_home()?;
            let (file, ours) = self.open_lock(&home)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Nobody else can find a file that was removed in the meantime.
                Ok(()) if !is_at(&home, &ours) => continue,
                Ok(()) => {
                    self.held.replace(Some(file));
                    return self.locked();
                }
                Err(Errno::WOULDBLOCK) => {}
                Err(e) => return Err(HostError::Io { path: self.home_path(LOCK), source: e.into() }),
            }
            let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
            let holder = flock_holders(&locks, ours.st_ino).into_iter().find(|pid| has_open(*pid, &ours));
            if holder.is_some() || began.elapsed() > ORPHANS {
                return Err(HostError::Locked { holder });
            }
            std::thread::sleep(TICK);
        }
    }

    /// Takes the host's lock, and not transactional-update's, without waiting. Returns `None` if
    /// another process has it. For what another program calls in the middle of its own work.
    pub fn try_lock_inside(&self) -> Result<Option<Lock>, HostError> {
        let home = self.make_home()?;
        let (file, ours) = self.open_lock(&home)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&home, &ours) => {
                self.held.replace(Some(file));
                Ok(Some(Lock { held: self.held.clone(), _tukit: None }))
            }
            Ok(()) | Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(HostError::Io { path: self.home_path(LOCK), source: e.into() }),
        }
    }

    /// Takes the host's lock like [`lock`](Self::lock), for a run that changes nothing. On a host
    /// where no tiu has worked yet, no file is made.
    pub fn lock_unchanged(&self) -> Result<Lock, HostError> {
        match self.home()? {
            Some(_) => self.lock(),
            None => self.locked(),
        }
    }

    /// Returns the lock, whose own file is held, with that of transactional-update.
    fn locked(&self) -> Result<Lock, HostError> {
        let mut lock = Lock { held: self.held.clone(), _tukit: None };
        lock._tukit = self.is_live().then(lock_tukit).transpose()?;
        Ok(lock)
    }

    /// Opens the lock's file, and makes it if it does not exist.
    fn open_lock(&self, home: &OwnedFd) -> Result<(OwnedFd, Stat), HostError> {
        // Reading is enough for flock(2), also where the filesystem is mounted read-only.
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(home, LOCK, flags, mode).map_err(|e| match e {
            Errno::LOOP | Errno::ISDIR | Errno::NXIO => self.not_ours(LOCK, "not a regular file"),
            e => HostError::Io { path: self.home_path(LOCK), source: e.into() },
        })?;
        let stat = self.make_ours(&file, FileType::RegularFile, mode, LOCK)?;
        Ok((file, stat))
    }
}

/// Returns whether the lock's name still leads to this file.
fn is_at(home: &OwnedFd, file: &Stat) -> bool {
    let found = statat(home, LOCK, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino))
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
fn has_open(pid: u32, file: &Stat) -> bool {
    let same = |fd: std::fs::DirEntry| {
        let found = std::fs::metadata(fd.path());
        found.is_ok_and(|found| (found.dev(), found.ino()) == (file.st_dev, file.st_ino))
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
