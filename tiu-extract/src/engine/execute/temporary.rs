//! What is made, before it is complete: under a name of its own in the directory where it belongs, or under its final one.
//!
//! What replaces something needs a name to be renamed from, so that the path has the old inode or the new one at any moment. What replaces
//! nothing is made at its place at once: half the work of a filesystem lies in names. A run that is killed leaves a part of it there, which
//! the next run finds by its digest, as it finds everything else.

use crate::engine::parents::Parent;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Something that goes away unless it becomes complete.
pub(super) struct Temporary {
    pub directory: Arc<Parent>,
    /// Removed on drop; `None` when there is nothing to remove.
    name: Option<CString>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // An error here must not hide the one that led here; the next run removes the file.
            let _ = rustix::fs::unlinkat(self.directory.fd(), name, AtFlags::empty());
        }
    }
}

impl Temporary {
    /// Takes care of what was made as `name`.
    pub fn named(directory: Arc<Parent>, name: CString) -> Self {
        Temporary { directory, name: Some(name) }
    }

    /// Makes a regular file as `name`, with the permissions `mode` (as far as the umask lets them; set-uid bits come last).
    pub fn file(directory: Arc<Parent>, name: CString, mode: u32) -> Result<(Self, OwnedFd), Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL;
        let fd = rustix::fs::openat(directory.fd(), &name, flags, Mode::from_raw_mode(mode & 0o777))?;
        Ok((Temporary::named(directory, name), fd))
    }

    /// Gives it its final name, in place of what is there, if it has not got it yet.
    pub fn rename(mut self, name: &CStr) -> Result<(), Errno> {
        let directory = self.directory.fd();
        if let Some(temporary) = self.name.as_deref().filter(|temporary| *temporary != name) {
            rustix::fs::renameat(directory, temporary, directory, name)?;
        }
        self.name = None;
        Ok(())
    }

    /// Gives a regular file its final name as [`Temporary::rename`] does, but btrfs does not write its content to the disk at once, as it does
    /// when a file is renamed over another: the two change places, and the old one goes.
    pub fn exchange(mut self, name: &CStr) -> Result<(), Errno> {
        let directory = self.directory.fd();
        if let Some(temporary) = self.name.as_deref().filter(|temporary| *temporary != name) {
            match renameat_with(directory, temporary, directory, name, RenameFlags::EXCHANGE) {
                Ok(()) => rustix::fs::unlinkat(directory, temporary, AtFlags::empty())?,
                // Nothing is there any more, or the filesystem cannot.
                Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => return self.rename(name),
                Err(e) => return Err(e),
            }
        }
        self.name = None;
        Ok(())
    }

    /// Leaves it under its temporary name.
    pub fn keep(mut self) {
        self.name = None;
    }
}

/// Opens a name in a directory, of any kind, without following it.
pub(super) fn open_path(directory: &Parent, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory.fd(), name, flags, Mode::empty())
}
