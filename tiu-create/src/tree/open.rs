//! Access to a tree, relative to its descriptor, so that no symbolic link in it leads out of it.

use super::error::ScanError;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tiu_system::beneath::{Beneath, open_in_root};
use tiu_system::tree::{MAX_TEXT, System, Tree};

/// The directory that holds a whole system. It is only ever read.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the directory.
    pub fn open(path: &Path) -> Result<Self, ScanError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())
            .map_err(|e| ScanError::Root { path: path.display().to_string(), source: e.into() })?;
        Ok(Root { fd })
    }

    /// Returns the descriptor.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Opens `path` itself: no symbolic link and no mount point on the way, without touching its
    /// access time.
    pub fn open_exactly(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        Beneath::within_mount(self.fd.as_fd()).open_quietly(path, flags | OFlags::RDONLY | OFlags::NONBLOCK)
    }

    /// Opens `path` as the system in the tree would see it: symbolic links are followed, but inside
    /// the tree. `None` if nothing exists there.
    pub fn open_as_system(&self, path: &str, flags: OFlags) -> Result<Option<OwnedFd>, ScanError> {
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK;
        match open_in_root(self.fd.as_fd(), path.as_bytes(), flags) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(e) => Err(ScanError::Io { path: path.into(), what: "opening", source: e.into() }),
        }
    }

    /// Returns the text of the regular file that the system in the tree sees at `path`. `None` only
    /// if it does not exist: what cannot be reached (a symbolic link that leads nowhere, a directory
    /// in its place) is an error, because hosts would not find it either.
    pub fn read_text(&self, path: &str) -> Result<Option<Vec<u8>>, ScanError> {
        let fd = self.fd.try_clone().map_err(|source| ScanError::Io {
            path: path.into(),
            what: "opening",
            source,
        })?;
        // The names of messages begin at the tree's root.
        let tree = Tree::from_directory(fd, Path::new("/"));
        System::new(&tree).read(Path::new(path), MAX_TEXT).map_err(ScanError::Unreachable)
    }

    /// Returns the first `limit` bytes of the file that the system in the tree sees at `path`, if
    /// there is one.
    pub fn read_as_system(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, ScanError> {
        let Some(fd) = self.open_as_system(path, OFlags::empty())? else { return Ok(None) };
        let mut content = Vec::new();
        match File::from(fd).take(limit).read_to_end(&mut content) {
            Ok(_) => Ok(Some(content)),
            Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => Ok(None),
            Err(source) => Err(ScanError::Io { path: path.into(), what: "reading", source }),
        }
    }
}
