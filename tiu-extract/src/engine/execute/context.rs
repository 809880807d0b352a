//! The state that all threads of a run share.

use crate::engine::beneath;
use crate::engine::error::{EngineError, shown};
use crate::engine::job::Job;
use crate::engine::join::EntryPlace;
use crate::engine::plan::{ContentSource, Plan};
use crate::engine::rules::{Lookup, Reflink};
use crate::engine::temporary_names::TemporaryNames;
use crate::engine::unreadable::is_damage;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU64;

/// The state that all threads of a run share.
pub(super) struct ExecuteContext<'a> {
    pub job: &'a Job<'a>,
    pub plan: &'a Plan,
    pub rules: Lookup<'a>,
    pub names: TemporaryNames,
    pub seeds: Vec<OwnedFd>,
    /// Bytes of content that have their space already.
    pub done: AtomicU64,
}

impl ExecuteContext<'_> {
    /// Returns the name under which entry `i` is made: `name`, its own, if its path is free;
    /// otherwise a temporary one, because the old inode must stay until the new one is complete.
    pub fn made_as(&self, i: u32, name: &CStr) -> CString {
        match self.plan.places.get(i as usize) {
            Some(EntryPlace::Missing) => name.to_owned(),
            _ => self.names.name(i),
        }
    }

    /// Opens a source and returns it with its size, or `None` if it is no longer a regular file.
    pub fn open_source(&self, source: ContentSource) -> Result<Option<(OwnedFd, u64)>, EngineError> {
        let (root, path) = match source {
            ContentSource::Target(node) => (self.job.target, self.plan.tree.path(node)),
            ContentSource::Entry(entry) => {
                (self.job.target, self.job.index.entry(entry as usize).path.into_owned().into_bytes())
            }
            ContentSource::Seed(number, node) => {
                let number = usize::from(number);
                match (self.seeds.get(number), self.plan.seeds.get(number)) {
                    (Some(fd), Some(tree)) => (fd.as_fd(), tree.path(node)),
                    _ => return Ok(None),
                }
            }
        };
        let fd = match beneath::open_quietly(root, &path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => fd,
            // Changed since the scan; the image has the content too.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Ok(None),
            Err(e) if is_damage(e) => return Ok(None),
            Err(e) => return Err(EngineError::io("open", &path, e)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| EngineError::io("read the metadata of", &path, e))?;
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => Ok(Some((fd, u64::try_from(stat.st_size).unwrap_or(0)))),
            _ => Ok(None),
        }
    }
}

/// Decides about content that could not be shared: returns if it may be written instead, and fails
/// otherwise.
pub(super) fn reflink_failed(
    context: &ExecuteContext,
    path: &[u8],
    error: std::io::Error,
) -> Result<(), EngineError> {
    match Errno::from_io_error(&error) {
        // Not on this filesystem, or not between these files: files without checksums or
        // copy-on-write fail with EINVAL.
        Some(Errno::INVAL | Errno::TXTBSY) => Ok(()),
        Some(Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS | Errno::XDEV) => match context.rules.reflink() {
            Reflink::Auto => Ok(()),
            Reflink::Required => Err(EngineError::NoReflink { path: shown(path), source: error }),
        },
        Some(errno) => Err(EngineError::io("share the content of", path, errno)),
        None => Err(EngineError::io("share the content of", path, error)),
    }
}
