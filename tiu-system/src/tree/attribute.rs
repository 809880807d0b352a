//! Single extended attributes of inodes.

use super::{Tree, TreeError};
use crate::beneath::Beneath;
use crate::path::TreePath;
use rustix::fs::{OFlags, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Largest value that is read, in bytes: `XATTR_SIZE_MAX` of `linux/limits.h`.
const MAX_VALUE: usize = 64 << 10;

impl Tree {
    /// Returns the extended attribute `attribute` of the inode at `path`, or `None` if it has none.
    pub fn attribute(&self, path: &TreePath, attribute: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let mut value = vec![0u8; MAX_VALUE];
        let read = self
            .directory_of(path)
            .and_then(|parent| rustix::fs::lgetxattr(place(&parent, path), attribute, &mut value[..]));
        match read {
            Ok(length) => {
                value.truncate(length);
                Ok(Some(value))
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(e) => Err(self.failed(path, e)),
        }
    }

    /// Sets the extended attribute `attribute` of the inode at `path`.
    pub fn set_attribute(&self, path: &TreePath, attribute: &str, value: &[u8]) -> Result<(), TreeError> {
        self.directory_of(path)
            .and_then(|parent| {
                rustix::fs::lsetxattr(place(&parent, path), attribute, value, XattrFlags::empty())
            })
            .map_err(|e| self.failed(path, e))
    }

    fn directory_of(&self, path: &TreePath) -> Result<OwnedFd, Errno> {
        let parent = path.parent().map_or(&b""[..], TreePath::as_bytes);
        Beneath::new(self.fd()).open(parent, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn failed(&self, path: &TreePath, e: Errno) -> TreeError {
        TreeError { path: self.path().join(path.as_path()), source: e.into() }
    }
}

fn name(path: &TreePath) -> &OsStr {
    OsStr::from_bytes(path.file_name().unwrap_or(b"."))
}

/// Returns a path of this process that leads to exactly this name: no system call takes descriptor
/// and name.
fn place(parent: &OwnedFd, path: &TreePath) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name(path))
}
