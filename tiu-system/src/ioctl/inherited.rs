//! Descriptors that this process got from the one that started it.

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// The first descriptor that is not standard input, output or error.
const FIRST: RawFd = 3;

/// Marks every open descriptor from 3 on as close-on-exec: programs that this process starts do not
/// get what its own caller left open.
///
/// Descriptors that this process opens itself have the mark from the start. Call this once, before
/// the first thread and the first program.
pub fn close_inherited_on_exec() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()).filter(|fd| *fd >= FIRST));
    }
    for fd in open {
        // SAFETY: the number is only used for two calls of fcntl(2), which fail with EBADF if it is
        // not open, as that of the directory just read. Nothing is read, written or closed.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        match fcntl_getfd(fd).and_then(|flags| fcntl_setfd(fd, flags | FdFlags::CLOEXEC)) {
            Ok(()) | Err(Errno::BADF) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsRawFd;
    use std::process::Command;

    #[test]
    fn a_program_does_not_get_inherited_descriptors() {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let inherited = rustix::fs::open("/etc", flags, Mode::empty()).unwrap();
        let list = || {
            let script = format!("test -e /proc/self/fd/{}", inherited.as_raw_fd());
            Command::new("sh").args(["-c", &script]).status().unwrap().success()
        };
        fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
        assert!(list());
        close_inherited_on_exec().unwrap();
        assert!(!list());
    }
}
