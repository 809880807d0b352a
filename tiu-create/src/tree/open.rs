//! Opening what is in the tree, relative to its descriptor, so that no symbolic link in it leads anywhere else.

use super::TreeError;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How often opening is tried while others rename things.
const OPEN_TRIES: usize = 1000;

/// The directory that holds a whole system. It is only ever read.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the directory.
    pub fn open(path: &Path) -> Result<Self, TreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())
            .map_err(|e| TreeError::Root { path: path.display().to_string(), source: e.into() })?;
        Ok(Root { fd })
    }

    /// The descriptor.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Opens what is at `path` itself: no symbolic link and no mount point on the way, without touching its access time.
    pub fn open_exactly(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b".".as_slice() } else { path };
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        // Only the owner of a file and root may leave its access time alone.
        match openat2(&self.fd, path, flags | OFlags::NOATIME, Mode::empty(), resolve) {
            Err(Errno::PERM) => openat2(&self.fd, path, flags, Mode::empty(), resolve),
            other => other,
        }
    }

    /// Opens `path` as the system in the tree would see it: symbolic links are followed, but inside the tree.
    /// `None` when there is nothing.
    pub fn open_as_system(&self, path: &str, flags: OFlags) -> Result<Option<OwnedFd>, TreeError> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let open = || openat2(&self.fd, path, flags, Mode::empty(), resolve);
        // EAGAIN: something was renamed on this machine while a link led upwards, and the kernel could not tell where to (openat2(2)).
        let mut tries = (0..OPEN_TRIES).map(|_| open());
        match tries.find(|result| !matches!(result, Err(Errno::AGAIN))).unwrap_or(Err(Errno::AGAIN)) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(e) => Err(TreeError::Io { path: path.into(), what: "opening", source: e.into() }),
        }
    }

    /// The first `limit` bytes of the file that the system in the tree sees at `path`, if there is one.
    pub fn read_as_system(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(fd) = self.open_as_system(path, OFlags::empty())? else { return Ok(None) };
        let mut content = Vec::new();
        match File::from(fd).take(limit).read_to_end(&mut content) {
            Ok(_) => Ok(Some(content)),
            Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => Ok(None),
            Err(source) => Err(TreeError::Io { path: path.into(), what: "reading", source }),
        }
    }
}
