//! transactional-update's locks: tiu and transactional-update do not work on the running system at
//! the same time.
//!
//! Its program tukit holds a POSIX record lock (lockf(3)) on a file while it runs, and removes the
//! file afterwards. Its script, which runs tukit many times, writes its process id to another file.
//! Source: tukit/tukit.cpp of <https://github.com/openSUSE/transactional-update>.

use rustix::fs::{FlockOperation, Mode, OFlags, fcntl_lock, fstat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The file that tukit locks.
const LOCK: &str = "/run/tukit.lock";
/// The file with the process id of transactional-update's script.
const PID: &str = "/run/transactional-update.pid";

/// The lock, which excludes tukit until it is dropped or the process ends. The file stays: tukit
/// would not notice its removal.
#[derive(Debug)]
pub struct TukitLock {
    _file: OwnedFd,
}

/// The lock could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// transactional-update is running, as this process if it is visible.
    #[error("transactional-update is running")]
    Busy(Option<u32>),
    /// The file cannot be used.
    #[error("{path}: {1}", path = .0.display())]
    Io(PathBuf, io::Error),
}

/// Takes the lock of the running system.
pub fn lock() -> Result<TukitLock, LockError> {
    lock_files(Path::new(LOCK), Path::new(PID), Path::new("/proc"))
}

fn lock_files(lock: &Path, pid: &Path, proc: &Path) -> Result<TukitLock, LockError> {
    let held = lock_file(lock)?;
    let script = std::fs::read_to_string(pid).ok().and_then(|text| text.trim().parse::<u32>().ok());
    // A killed script leaves its file behind.
    match script.filter(|pid| proc.join(pid.to_string()).exists()) {
        Some(pid) => Err(LockError::Busy(Some(pid))),
        None => Ok(held),
    }
}

fn lock_file(path: &Path) -> Result<TukitLock, LockError> {
    let failed = |e: Errno| LockError::Io(path.to_owned(), e.into());
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
        match fcntl_lock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::ACCESS | Errno::AGAIN) => return Err(LockError::Busy(holder(&fd))),
            Err(e) => return Err(failed(e)),
        }
        // The holder may have removed the file between our open and our lock. Then nobody else can
        // find what we locked.
        let ours = fstat(&fd).map_err(failed)?;
        match rustix::fs::lstat(path) {
            Ok(there) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) => {
                return Ok(TukitLock { _file: fd });
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

fn holder(fd: &OwnedFd) -> Option<u32> {
    let whole = Flock {
        start: 0,
        length: 0,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    let held = fcntl_getlk(fd, &whole).ok()??;
    u32::try_from(held.pid?.as_raw_nonzero().get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// A process that holds the lock as tukit does, until it is dropped.
    struct Tukit(Child);

    impl Tukit {
        fn start(path: &Path) -> Self {
            let program = "import fcntl, sys, time\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10000)\n\
                           print('held', flush=True)\ntime.sleep(600)\n";
            let child =
                Command::new("python3").args(["-c", program]).arg(path).stdout(Stdio::piped()).spawn();
            let mut child = child.expect("python3 does not start: install the package python3");
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "held\n");
            Tukit(child)
        }
    }

    impl Drop for Tukit {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn tukit_keeps_us_out_and_we_keep_it_out() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, pid) = (dir.path().join("lock"), dir.path().join("pid"));
        let take = || lock_files(&lock, &pid, Path::new("/proc"));
        let tukit = Tukit::start(&lock);
        assert!(matches!(take(), Err(LockError::Busy(Some(pid))) if pid == tukit.0.id()));
        drop(tukit);
        let held = take().unwrap();
        let program = "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10000)\n";
        let other = Command::new("python3").args(["-c", program]).arg(&lock).output().unwrap();
        assert!(!other.status.success(), "tukit was let in");
        drop(held);
        assert!(Command::new("python3").args(["-c", program]).arg(&lock).status().unwrap().success());
    }

    #[test]
    fn a_running_script_keeps_us_out_and_one_that_ended_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, pid, proc) = (dir.path().join("lock"), dir.path().join("pid"), dir.path().join("proc"));
        std::fs::create_dir_all(proc.join("7")).unwrap();
        std::fs::write(&pid, "7\n").unwrap();
        assert!(matches!(lock_files(&lock, &pid, &proc), Err(LockError::Busy(Some(7)))));
        for gone in ["8\n", "", "no number"] {
            std::fs::write(&pid, gone).unwrap();
            lock_files(&lock, &pid, &proc).unwrap();
        }
    }

    #[test]
    fn a_symlink_in_place_of_the_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("other"), dir.path().join("lock")).unwrap();
        assert!(matches!(lock_file(&dir.path().join("lock")), Err(LockError::Io(..))));
        assert!(!dir.path().join("other").exists());
    }
}
