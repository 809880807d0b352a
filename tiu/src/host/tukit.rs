//! transactional-update's locks: while it works on the running system, we don't, and the other way round.
//!
//! Its program tukit holds a POSIX record lock (lockf(3)) on a file of its own as long as it runs, and removes the file afterwards; its
//! script, which runs tukit many times, leaves its process id in another file. Source: tukit/tukit.cpp of
//! <https://github.com/openSUSE/transactional-update>.

use rustix::fs::{FlockOperation, Mode, OFlags, fcntl_lock, fstat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// File that tukit locks.
const LOCK: &str = "/run/tukit.lock";
/// File with the process id of transactional-update's script.
const PID: &str = "/run/transactional-update.pid";

/// Held against tukit; let go when dropped or when the process ends. The file stays: tukit would not see it go.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] OwnedFd);

/// Why it is not ours.
#[derive(Debug)]
pub enum Refused {
    /// transactional-update works, as this process where that can be seen.
    Busy(Option<u32>),
    /// The file cannot be used.
    Io(PathBuf, io::Error),
}

/// Takes the lock of the running system.
pub fn lock() -> Result<Lock, Refused> {
    lock_files(Path::new(LOCK), Path::new(PID), Path::new("/proc"))
}

fn lock_files(lock: &Path, pid: &Path, proc: &Path) -> Result<Lock, Refused> {
    let held = lock_file(lock)?;
    let script = std::fs::read_to_string(pid).ok().and_then(|text| text.trim().parse::<u32>().ok());
    // A script that was killed leaves its file behind.
    match script.filter(|pid| proc.join(pid.to_string()).exists()) {
        Some(pid) => Err(Refused::Busy(Some(pid))),
        None => Ok(held),
    }
}

fn lock_file(path: &Path) -> Result<Lock, Refused> {
    let refused = |e: Errno| Refused::Io(path.to_owned(), e.into());
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        let fd = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map_err(refused)?;
        match fcntl_lock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::ACCESS | Errno::AGAIN) => return Err(Refused::Busy(holder(&fd))),
            Err(e) => return Err(refused(e)),
        }
        // Between our open and our lock its holder may have removed it: then we have locked what nobody else will find.
        let ours = fstat(&fd).map_err(refused)?;
        match rustix::fs::lstat(path) {
            Ok(there) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) => return Ok(Lock(fd)),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(e) => return Err(refused(e)),
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
        assert!(matches!(take(), Err(Refused::Busy(Some(pid))) if pid == tukit.0.id()));
        drop(tukit);
        let held = take().unwrap();
        let program = "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10000)\n";
        let other = Command::new("python3").args(["-c", program]).arg(&lock).output().unwrap();
        assert!(!other.status.success(), "tukit was let in");
        drop(held);
        assert!(Command::new("python3").args(["-c", program]).arg(&lock).status().unwrap().success());
    }

    #[test]
    fn a_script_that_runs_keeps_us_out_and_one_that_is_gone_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, pid, proc) = (dir.path().join("lock"), dir.path().join("pid"), dir.path().join("proc"));
        std::fs::create_dir_all(proc.join("7")).unwrap();
        std::fs::write(&pid, "7\n").unwrap();
        assert!(matches!(lock_files(&lock, &pid, &proc), Err(Refused::Busy(Some(7)))));
        for gone in ["8\n", "", "no number"] {
            std::fs::write(&pid, gone).unwrap();
            lock_files(&lock, &pid, &proc).unwrap();
        }
    }

    #[test]
    fn a_symlink_in_place_of_the_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("other"), dir.path().join("lock")).unwrap();
        assert!(matches!(lock_file(&dir.path().join("lock")), Err(Refused::Io(..))));
        assert!(!dir.path().join("other").exists());
    }
}
