//! Inodes that are not complete yet: under a temporary name in the directory where they belong, or
//! under their final name.
//!
//! An inode that replaces another is made under a temporary name and renamed, so that the path has
//! the old inode or the new one at any moment. An inode at a free path is made there at once,
//! because half the work of a filesystem lies in names. A run that is killed leaves a part of it,
//! which the next run recognises by its digest.

use crate::engine::parents::Parent;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// An inode that is removed on drop unless it becomes complete.
pub(super) struct Temporary {
    pub directory: Arc<Parent>,
    /// The name to remove on drop; `None` if nothing is to be removed.
    name: Option<CString>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // An error here must not hide the first one; the next run removes the file.
            let _ = rustix::fs::unlinkat(self.directory.fd(), name, AtFlags::empty());
        }
    }
}

impl Temporary {
    /// Takes over an inode that was made as `name`.
    pub fn named(directory: Arc<Parent>, name: CString) -> Self {
        Temporary { directory, name: Some(name) }
    }

    /// Makes a regular file as `name`, with the permissions `mode` as far as the umask allows,
    /// without set-uid bits.
    pub fn file(directory: Arc<Parent>, name: CString, mode: u32) -> Result<(Self, OwnedFd), Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL;
        let fd = rustix::fs::openat(directory.fd(), &name, flags, Mode::from_raw_mode(mode & 0o777))?;
        Ok((Temporary::named(directory, name), fd))
    }

    /// Renames the inode to its final name, unless it was made under it. Replaces an existing
    /// inode.
    pub fn rename(mut self, name: &CStr) -> Result<(), Errno> {
        let directory = self.directory.fd();
        if let Some(temporary) = self.name.as_deref().filter(|temporary| *temporary != name) {
            rustix::fs::renameat(directory, temporary, directory, name)?;
        }
        self.name = None;
        Ok(())
    }

    /// Renames a regular file as [`Temporary::rename`] does, but by exchanging it with the old file
    /// and removing that. When a file is renamed over another, btrfs writes its content to the disk
    /// at once.
    pub fn exchange(mut self, name: &CStr) -> Result<(), Errno> {
        let directory = self.directory.fd();
        if let Some(temporary) = self.name.as_deref().filter(|temporary| *temporary != name) {
            match renameat_with(directory, temporary, directory, name, RenameFlags::EXCHANGE) {
                Ok(()) => rustix::fs::unlinkat(directory, temporary, AtFlags::empty())?,
                // The old file no longer exists, or the filesystem cannot exchange.
                Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => return self.rename(name),
                Err(e) => return Err(e),
            }
        }
        self.name = None;
        Ok(())
    }

    /// Leaves the inode under its temporary name.
    pub fn keep(mut self) {
        self.name = None;
    }
}

/// Opens an inode of any kind by its name in a directory, without following it.
pub(super) fn open_path(directory: &Parent, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory.fd(), name, flags, Mode::empty())
}
