//! What is made, before it is complete: under a name of its own in the directory where it belongs, or without any name.
//!
//! A file that replaces nothing is made without a name (`O_TMPFILE`): it costs one entry in the directory less, and a run that is killed
//! leaves nothing. What replaces something needs a name to be renamed from, so that the path has the old inode or the new one at any moment.

use super::super::beneath::{Parent, ProcPath};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
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

    /// Makes a regular file; without a name if it `replaces` nothing and the filesystem can. Where nobody else can open it, it has the
    /// permissions that it will have, which saves setting them later.
    pub fn file(
        directory: Arc<Parent>,
        name: CString,
        replaces: bool,
        mode: u32,
    ) -> Result<(Self, OwnedFd), Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if !replaces {
            // Set-uid bits come last.
            let mode = Mode::from_raw_mode(mode & 0o777);
            match rustix::fs::openat(directory.fd(), c".", flags | OFlags::TMPFILE, mode) {
                Ok(fd) => return Ok((Temporary { directory, name: None }, fd)),
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
                Err(e) => return Err(e),
            }
        }
        let flags = flags | OFlags::CREATE | OFlags::EXCL;
        let fd = rustix::fs::openat(directory.fd(), &name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok((Temporary::named(directory, name), fd))
    }

    /// Gives a file its final name, in place of what is there.
    pub fn finish(self, fd: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        if self.name.is_some() {
            return self.rename(name);
        }
        let directory = self.directory.fd();
        match rustix::fs::linkat(fd, c"", directory, name, AtFlags::EMPTY_PATH) {
            // Kernels before 6.10 want a capability for that.
            Err(Errno::NOENT | Errno::PERM) => {
                let mut path = ProcPath::default();
                rustix::fs::linkat(CWD, path.of(fd.as_fd()), directory, name, AtFlags::SYMLINK_FOLLOW)
            }
            other => other,
        }
    }

    /// Gives what has a temporary name its final one, in place of what is there.
    pub fn rename(mut self, name: &CStr) -> Result<(), Errno> {
        let directory = self.directory.fd();
        if let Some(temporary) = &self.name {
            rustix::fs::renameat(directory, temporary, directory, name)?;
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
