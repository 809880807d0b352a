//! Opens files beneath a directory. No symbolic link leads out of it.
//!
//! There are two ways, both with openat2(2). [`Beneath`] opens exactly the file that a path names:
//! a symbolic link in the path or at its end is `ELOOP`, a path that leads out is `EXDEV`.
//! [`open_in_root`] opens the file that a program of the system in the directory would find: it
//! follows symbolic links, but stays within the directory. System calls without such flags (rename,
//! unlink, link, mkdir) get the descriptor of the parent, opened this way, and a single name.
//!
//! ```
//! use rustix::fs::OFlags;
//! use std::os::fd::AsFd;
//! use tiu_system::beneath::{Beneath, open_in_root};
//!
//! let proc = std::fs::File::open("/proc")?;
//! let beneath = Beneath::new(proc.as_fd());
//! assert!(beneath.open(b"version", OFlags::RDONLY).is_ok());
//! assert!(beneath.open(b"mounts", OFlags::RDONLY).is_err(), "a symbolic link");
//! assert!(open_in_root(proc.as_fd(), b"mounts", OFlags::RDONLY).is_ok());
//! # Ok::<(), std::io::Error>(())
//! ```

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest path that is given to the kernel at once (`PATH_MAX` is 4096 with its NUL). Longer ones
/// are opened in steps.
const STEP: usize = 4000;
/// The number of attempts to open while others rename things.
const TRIES: usize = 1000;

/// A directory that paths start at, and whether they may lead into another mount.
#[derive(Clone, Copy, Debug)]
pub struct Beneath<'a> {
    directory: BorrowedFd<'a>,
    resolve: ResolveFlags,
}

impl<'a> Beneath<'a> {
    /// Paths may lead into what is mounted beneath `directory`.
    pub fn new(directory: BorrowedFd<'a>) -> Self {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        Beneath { directory, resolve }
    }

    /// A path that leads to a mount point is `EXDEV`.
    pub fn within_mount(directory: BorrowedFd<'a>) -> Self {
        let Beneath { directory, resolve } = Beneath::new(directory);
        Beneath { directory, resolve: resolve | ResolveFlags::NO_XDEV }
    }

    /// Opens `path`, which is relative; the empty path is the directory itself. `O_NOFOLLOW` and
    /// `O_CLOEXEC` are added. Paths longer than `PATH_MAX` are opened in steps.
    pub fn open(self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut reached: Option<OwnedFd> = None;
        let mut rest = path;
        loop {
            let directory = reached.as_ref().map_or(self.directory, |fd| fd.as_fd());
            if rest.len() <= STEP {
                let rest = if rest.is_empty() { b"." } else { rest };
                return retry(directory, rest, flags, self.resolve);
            }
            let window = rest.get(..STEP).unwrap_or(rest);
            let cut = window.iter().rposition(|c| *c == b'/').ok_or(Errno::NAMETOOLONG)?;
            let (step, tail) = rest.split_at(cut);
            let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let next = retry(directory, step, through, self.resolve)?;
            reached = Some(next);
            rest = tail.get(1..).unwrap_or_default();
        }
    }

    /// Opens `path` like [`open`](Self::open), without touching the access time if that is allowed:
    /// only the owner of a file and root may ask for it.
    pub fn open_quietly(self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.open(path, flags | OFlags::NOATIME) {
            Err(Errno::PERM) => self.open(path, flags),
            other => other,
        }
    }
}

/// Opens `path` as a program would find it whose root directory is `directory`. Symbolic links lead
/// within it, absolute ones and `..` too. `O_CLOEXEC` is added.
pub fn open_in_root(directory: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    retry(directory, path, flags | OFlags::CLOEXEC, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

fn retry(directory: BorrowedFd, path: &[u8], flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    // EAGAIN: something was renamed on this machine while the path led upwards, and the kernel
    // could not tell where to (openat2(2)).
    let mut tries = (0..TRIES).map(|_| openat2(directory, path, flags, Mode::empty(), resolve));
    tries.find(|result| !matches!(result, Err(Errno::AGAIN))).unwrap_or(Err(Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, mkdirat, unlinkat};
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn directory() -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/file"), "content").unwrap();
        symlink("b/file", dir.path().join("a/link")).unwrap();
        symlink("/a", dir.path().join("absolute")).unwrap();
        symlink("../../../a/b", dir.path().join("a/up")).unwrap();
        let fd = File::open(dir.path()).unwrap();
        (dir, fd)
    }

    fn content(fd: OwnedFd) -> String {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn exactly_what_a_path_names_is_opened() {
        let (_dir, fd) = directory();
        for beneath in [Beneath::new(fd.as_fd()), Beneath::within_mount(fd.as_fd())] {
            let open = |path: &str| beneath.open(path.as_bytes(), OFlags::RDONLY);
            assert_eq!(content(open("a/b/file").unwrap()), "content");
            assert_eq!(content(beneath.open_quietly(b"a/b/file", OFlags::RDONLY).unwrap()), "content");
            assert!(open("").is_ok());
            for path in ["a/link", "absolute/b/file", "a/up/file"] {
                assert_eq!(open(path).unwrap_err(), Errno::LOOP, "{path}");
            }
            for path in ["..", "../x", "/etc/passwd", "a/../../x"] {
                assert_eq!(open(path).unwrap_err(), Errno::XDEV, "{path}");
            }
            assert_eq!(open("a/none").unwrap_err(), Errno::NOENT);
        }
    }

    #[test]
    fn a_mount_point_is_entered_only_if_asked_for() {
        let root = File::open("/").unwrap();
        let open = |beneath: Beneath| beneath.open(b"proc/version", OFlags::RDONLY);
        assert!(open(Beneath::new(root.as_fd())).is_ok());
        assert_eq!(open(Beneath::within_mount(root.as_fd())).unwrap_err(), Errno::XDEV);
    }

    #[test]
    fn in_a_root_links_lead_within_it() {
        let (_dir, fd) = directory();
        let open = |path: &str| open_in_root(fd.as_fd(), path.as_bytes(), OFlags::RDONLY);
        for path in ["a/link", "absolute/b/file", "a/up/file", "../../a/b/file", "/a/b/file"] {
            assert_eq!(content(open(path).unwrap()), "content", "{path}");
        }
        assert_eq!(open("absolute/passwd").unwrap_err(), Errno::NOENT);
    }

    #[test]
    fn paths_that_the_kernel_finds_too_long_are_opened_in_steps() {
        let (_dir, fd) = directory();
        let name = "n".repeat(250);
        let mut at = fd.as_fd().try_clone_to_owned().unwrap();
        for _ in 0..40 {
            mkdirat(&at, &*name, Mode::RWXU).unwrap();
            at = Beneath::new(at.as_fd()).open(name.as_bytes(), OFlags::PATH).unwrap();
        }
        let path = vec![&*name; 40].join("/");
        assert!(path.len() > 10_000);
        for beneath in [Beneath::new(fd.as_fd()), Beneath::within_mount(fd.as_fd())] {
            assert!(beneath.open(path.as_bytes(), OFlags::RDONLY).is_ok());
        }
        assert_eq!(
            Beneath::new(fd.as_fd()).open(&[b'x'; 5000], OFlags::RDONLY).unwrap_err(),
            Errno::NAMETOOLONG
        );
        // From the end, as no path is short enough for a removal of the whole.
        for depth in (0..40).rev() {
            let parent = vec![&*name; depth].join("/");
            let parent = Beneath::new(fd.as_fd()).open(parent.as_bytes(), OFlags::PATH).unwrap();
            unlinkat(parent, &*name, AtFlags::REMOVEDIR).unwrap();
        }
    }
}
