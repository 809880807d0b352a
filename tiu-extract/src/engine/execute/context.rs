//! What all threads of a run share.

use crate::engine::beneath;
use crate::engine::error::{EngineError, shown};
use crate::engine::job::Job;
use crate::engine::join::Place;
use crate::engine::plan::{Plan, Source};
use crate::engine::rules::{Lookup, Reflink};
use crate::engine::temporary_names::TemporaryNames;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU64;

/// What all threads share.
pub(super) struct Context<'a> {
    pub job: &'a Job<'a>,
    pub plan: &'a Plan,
    pub rules: Lookup<'a>,
    pub names: TemporaryNames,
    pub seeds: Vec<OwnedFd>,
    /// Bytes that need no more space.
    pub done: AtomicU64,
}

impl Context<'_> {
    /// The name under which entry `i` is made: its own, `name`, if nothing is there that must stay until it is complete.
    pub fn made_as(&self, i: u32, name: &CStr) -> CString {
        match self.plan.places.get(i as usize) {
            Some(Place::Missing) => name.to_owned(),
            _ => self.names.name(i),
        }
    }

    /// A source and its size; `None` when it is no regular file any more.
    pub fn open_source(&self, source: Source) -> Result<Option<(OwnedFd, u64)>, EngineError> {
        let (root, path) = match source {
            Source::Target(node) => (self.job.target, self.plan.tree.path(node)),
            Source::Made(entry) => (self.job.target, self.job.index.entry(entry as usize).path.into_owned()),
            Source::Seed(number, node) => {
                let number = usize::from(number);
                match (self.seeds.get(number), self.plan.seeds.get(number)) {
                    (Some(fd), Some(tree)) => (fd.as_fd(), tree.path(node)),
                    _ => return Ok(None),
                }
            }
        };
        let fd = match beneath::open_quietly(root, &path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => fd,
            // Changed since it was looked at: the image has the content, too.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Ok(None),
            Err(e) => return Err(EngineError::io("open", &path, e)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| EngineError::io("read the metadata of", &path, e))?;
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => Ok(Some((fd, u64::try_from(stat.st_size).unwrap_or(0)))),
            _ => Ok(None),
        }
    }
}

/// Whether content may be written after sharing it failed, or else why not.
pub(super) fn reflink_failed(
    context: &Context,
    path: &[u8],
    error: std::io::Error,
) -> Result<(), EngineError> {
    match Errno::from_io_error(&error) {
        // Not this filesystem, or not these two. EINVAL is what files without checksums or copy-on-write give.
        Some(Errno::INVAL | Errno::TXTBSY) => Ok(()),
        Some(Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS | Errno::XDEV) => match context.rules.reflink() {
            Reflink::Auto => Ok(()),
            Reflink::Required => Err(EngineError::NoReflink { path: shown(path), source: error }),
        },
        Some(errno) => Err(EngineError::io("share the content of", path, errno)),
        None => Err(EngineError::io("share the content of", path, error)),
    }
}
