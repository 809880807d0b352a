//! The directories that steps work in, opened.

use super::beneath::{self, split};
use super::error::EngineError;
use super::xattr::has_default_acl;
use rustix::fs::OFlags;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Opens the parents of paths. It keeps the last one, because neighbours in a list mostly share
/// their parent.
pub(crate) struct Parents<'a> {
    root: BorrowedFd<'a>,
    last: Option<Arc<Parent>>,
}

/// An open directory.
pub(crate) struct Parent {
    path: Vec<u8>,
    fd: OwnedFd,
    /// True if new inodes in the directory get an ACL from it.
    pub default_acl: bool,
}

impl Parent {
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<'a> Parents<'a> {
    pub fn new(root: BorrowedFd<'a>) -> Self {
        Parents { root, last: None }
    }

    /// Opens the directory that holds `path`, and returns it with the last name of `path`.
    pub fn open(&mut self, path: &[u8]) -> Result<(Arc<Parent>, CString), EngineError> {
        let (parent, name) = split(path);
        let name = CString::new(name).map_err(|e| EngineError::io("use the name", path, e))?;
        if let Some(last) = &self.last
            && last.path == parent
        {
            return Ok((last.clone(), name));
        }
        let fd = beneath::open(self.root, parent, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| EngineError::io("open the directory", parent, e))?;
        let default_acl = has_default_acl(fd.as_fd());
        let opened = Arc::new(Parent { path: parent.to_vec(), fd, default_acl });
        self.last = Some(opened.clone());
        Ok((opened, name))
    }

    /// Forgets the last directory, which may have been removed or replaced.
    pub fn forget(&mut self) {
        self.last = None;
    }
}
