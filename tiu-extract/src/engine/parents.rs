//! The directories that steps work in.

use super::beneath::{self, split};
use super::error::EngineError;
use super::xattr::has_default_acl;
use rustix::fs::OFlags;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The directory that was opened last: neighbours in a list mostly share their parent.
pub(crate) struct Parents<'a> {
    root: BorrowedFd<'a>,
    last: Option<Arc<Parent>>,
}

/// An open directory.
pub(crate) struct Parent {
    path: Vec<u8>,
    fd: OwnedFd,
    /// Whether what is made in it gets an ACL that is not its own.
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

    /// The directory that `path` lies in, and its name there.
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

    /// Forgets the directory, so that it is not used after it was removed or replaced.
    pub fn forget(&mut self) {
        self.last = None;
    }
}
