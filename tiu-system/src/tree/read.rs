//! A tree, and reading its files.

use super::TreeError;
use crate::beneath::{Beneath, open_in_root};
use crate::path::TreePath;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Largest text of a system that is read, in bytes: os-release, fstab, passwd and the like.
pub const MAX_TEXT: u64 = 16 << 20;

/// A directory with a system in it. Its methods take the bytes of a [`TreePath`], and refuse
/// others.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    fd: OwnedFd,
}

impl Tree {
    /// Opens the tree at `path`, which may itself be reached through symbolic links.
    pub fn open(path: &Path) -> Result<Self, TreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Tree { path: path.to_owned(), fd }),
            Err(e) => Err(TreeError { path: path.to_owned(), source: e.into() }),
        }
    }

    /// Returns the tree in the directory `fd`; `path` is its name for messages.
    pub fn from_directory(fd: OwnedFd, path: &Path) -> Self {
        Tree { path: path.to_owned(), fd }
    }

    /// Returns a path of this process that leads to the open directory itself, regardless of what
    /// is mounted over [`path`](Self::path).
    pub fn descriptor_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    /// Returns the path that it was opened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn error(&self, path: &TreePath, source: impl Into<io::Error>) -> TreeError {
        TreeError { path: self.path.join(path), source: source.into() }
    }

    /// Returns `path` as a path inside the tree. Fails for bytes that are not one.
    pub fn inside<'a>(&self, path: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<&'a TreePath, TreeError> {
        let bytes = path.as_ref();
        TreePath::new(bytes).map_err(|e| TreeError {
            path: self.path.join(OsStr::from_bytes(bytes)),
            source: io::Error::new(io::ErrorKind::InvalidInput, e),
        })
    }

    fn open_at(&self, path: &TreePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        // Opening a fifo must not block.
        let wait = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK };
        Beneath::new(self.fd()).open(path.as_bytes(), flags | wait)
    }

    /// Opens a regular file. Returns `None` if the path does not exist.
    pub fn file(&self, path: impl AsRef<[u8]>) -> Result<Option<File>, TreeError> {
        let path = self.inside(&path)?;
        let fd = match self.open_at(path, OFlags::RDONLY) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.error(path, e)),
        };
        let file = File::from(fd);
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(file)),
            Ok(_) => Err(self.error(path, io::Error::other("not a regular file"))),
            Err(e) => Err(self.error(path, e)),
        }
    }

    /// Reads a regular file of at most `limit` bytes. Returns `None` if the path does not exist.
    pub fn read(&self, path: impl AsRef<[u8]>, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let path = self.inside(&path)?;
        let Some(file) = self.file(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| self.error(path, e))?;
        if bytes.len() as u64 > limit {
            return Err(self.error(path, io::Error::other(format!("larger than {limit} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// Reads like [`read`](Self::read), and replaces what is not UTF-8.
    pub fn read_text(&self, path: impl AsRef<[u8]>, limit: u64) -> Result<Option<String>, TreeError> {
        Ok(self.read(path, limit)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns the metadata of `path` itself, or `None` if it does not exist or a symbolic link
    /// lies on the way.
    pub fn stat(&self, path: impl AsRef<[u8]>) -> Option<Stat> {
        let (parent, name) = self.parent(TreePath::new(&path).ok()?)?;
        rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    /// Returns the target of the symbolic link at `path`, or `None` if there is none.
    pub fn link(&self, path: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let (parent, name) = self.parent(TreePath::new(&path).ok()?)?;
        Some(rustix::fs::readlinkat(parent, name, Vec::new()).ok()?.into_bytes())
    }

    /// Opens the directory that `path` is in. Returns it with the name of `path` there.
    fn parent<'a>(&self, path: &'a TreePath) -> Option<(OwnedFd, &'a [u8])> {
        let parent = path.parent().unwrap_or(TreePath::ROOT);
        let parent = self.open_at(parent, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        Some((parent, path.file_name().unwrap_or(b".")))
    }

    /// Opens the directory at `path`.
    pub fn directory(&self, path: impl AsRef<[u8]>) -> Result<OwnedFd, TreeError> {
        let path = self.inside(&path)?;
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| self.error(path, e))
    }

    /// Returns true if a program of this system would find something at `path`: symbolic links lead
    /// within the tree.
    pub fn has(&self, path: impl AsRef<[u8]>) -> bool {
        TreePath::new(&path).is_ok_and(|path| self.follow(path.as_path()).is_ok())
    }

    fn follow(&self, path: &Path) -> Result<OwnedFd, Errno> {
        open_in_root(self.fd(), path.as_os_str().as_bytes(), OFlags::PATH)
    }

    /// Returns the path, outside of the tree, of what a program of this system would find at
    /// `path`: symbolic links lead within the tree, absolute ones too. If nothing can be reached,
    /// returns `path` below the tree; opening that reports the reason.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        let real = self
            .follow(path)
            .ok()
            .and_then(|fd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok());
        real.unwrap_or_else(|| self.path.join(path))
    }
}
