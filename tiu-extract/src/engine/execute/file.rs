//! One regular file: made, filled, read back, given its metadata, renamed into place.

use super::super::beneath;
use super::super::error::{EngineError, shown};
use super::super::join::inode_of;
use super::super::metadata;
use super::super::plan::{Content, File, Source};
use super::super::reach::Reach;
use super::super::rules::Reflink;
use super::content::{self, Done};
use super::temporary::Temporary;
use super::{Context, Worker};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use tiu_bundle::index::Entry;
use tiu_system::ioctl;

impl Worker<'_> {
    /// Makes a file in place of what is there; an `early` one keeps its temporary name.
    pub fn make_file(&mut self, file: &File, early: bool) -> Result<(), EngineError> {
        let context = self.context;
        context.stop_if_cancelled()?;
        let entry = context.job.index.entry(file.entry as usize);
        let inode = inode_of(context.job.index, &entry);
        let path: &[u8] = &entry.path;
        let (directory, name) = self.parents.of(path)?;
        let wanted = context.rules.wanted(&entry);
        let made_as = if early { context.names.name(file.entry) } else { context.made_as(file.entry, &name) };
        let (temporary, fd) = Temporary::file(directory, made_as, wanted.mode.unwrap_or(0o600))
            .map_err(|e| EngineError::io("make a file for", path, e))?;
        let done = self.fill(fd.as_fd(), file, &inode, path)?;
        content::read_back(context, &mut self.buffers, fd.as_fd(), &inode, path)?;
        let now =
            beneath::stat(fd.as_fd(), c"").map_err(|e| EngineError::io("read the metadata of", path, e))?;
        let attributes = temporary.directory.default_acl;
        metadata::apply(Reach::File(fd.as_fd()), &now, attributes, &wanted, &context.rules, path)?;
        match early {
            true => temporary.keep(),
            false => temporary.exchange(&name).map_err(|e| EngineError::io("rename into place", path, e))?,
        }
        match done.written {
            0 if inode.size > 0 => self.sum.reflinked += 1,
            _ => self.sum.written += 1,
        }
        self.sum.bytes_written += done.written;
        self.sum.bytes_shared += done.shared;
        Ok(())
    }

    /// Gives a file that was made early its name.
    pub fn rename_early(&mut self, file: &File) -> Result<(), EngineError> {
        let entry = self.context.job.index.entry(file.entry as usize);
        let (directory, name) = self.parents.of(&entry.path)?;
        let temporary = Temporary::named(directory, self.context.names.name(file.entry));
        temporary.rename(&name).map_err(|e| EngineError::io("rename into place", &entry.path, e))
    }

    fn fill(&mut self, fd: BorrowedFd, file: &File, inode: &Entry, path: &[u8]) -> Result<Done, EngineError> {
        let context = self.context;
        let older = match file.content {
            Content::Write => None,
            Content::Patch(source) => context.open_source(source)?,
            Content::Reflink(source) => {
                if let Some((source, size)) = context.open_source(source)?
                    && size == inode.size
                {
                    match ioctl::clone_file(source.as_fd(), fd) {
                        Ok(()) => {
                            context.job.progress.advance(size);
                            context.done.fetch_add(size, Ordering::Relaxed);
                            return Ok(Done { written: 0, shared: size });
                        }
                        Err(error) => reflink_failed(context, path, error)?,
                    }
                }
                None
            }
        };
        let older = older.as_ref().map(|(fd, size)| (fd, *size));
        content::write(context, &mut self.buffers, fd, inode, path, older)
    }
}

impl Context<'_> {
    /// A source and its size; `None` when it is no regular file any more.
    fn open_source(&self, source: Source) -> Result<Option<(OwnedFd, u64)>, EngineError> {
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
