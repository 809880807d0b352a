//! Makes one regular file: fills it, reads it back, sets its metadata, renames it into place.

use super::content::{self, FilledBytes};
use super::context::reflink_failed;
use super::temporary::Temporary;
use super::worker::Worker;
use crate::engine::beneath;
use crate::engine::error::{EngineError, RENAME};
use crate::engine::metadata::{self, MetadataWanted};
use crate::engine::plan::{FileContent, FileStep};
use crate::engine::reach::Reach;
use crate::engine::unreadable::is_damage;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use tiu_bundle::index::Entry;
use tiu_system::ioctl;

/// Returns true if the source of shared content can be the cause: it cannot be read, or it changed
/// since the scan.
fn is_of_source(error: &EngineError) -> bool {
    match error {
        EngineError::Digest { .. } => true,
        EngineError::Io { source, .. } => Errno::from_io_error(source).is_some_and(is_damage),
        _ => false,
    }
}

impl Worker<'_> {
    /// Makes a file, replacing an existing inode. An `early` file keeps its temporary name.
    pub fn make_file(&mut self, file: &FileStep, early: bool) -> Result<(), EngineError> {
        let context = self.context;
        context.job.watch.check()?;
        let entry = context.job.index.entry(file.entry as usize);
        let inode = context.job.index.inode_of(&entry);
        let path: &[u8] = entry.path.as_bytes();
        let (directory, name) = self.parents.open(path)?;
        let wanted = MetadataWanted::from_entry(&entry, &context.rules);
        let made_as = if early { context.names.name(file.entry) } else { context.made_as(file.entry, &name) };
        let (temporary, fd) = Temporary::file(directory, made_as, wanted.mode.unwrap_or(0o600))
            .map_err(|e| EngineError::io("make a file for", path, e))?;
        let done = self.fill_and_read_back(fd.as_fd(), file, &inode, path)?;
        let now =
            beneath::stat(fd.as_fd(), c"").map_err(|e| EngineError::io("read the metadata of", path, e))?;
        let attributes = temporary.directory.default_acl;
        metadata::apply(Reach::File(fd.as_fd()), &now, attributes, &wanted, &context.rules, path)?;
        if early {
            temporary.keep();
        } else {
            temporary.exchange(&name).map_err(|e| EngineError::io(RENAME, path, e))?;
        }
        if done.written == 0 && inode.size > 0 {
            self.sum.reflinked += 1;
        } else {
            self.sum.written += 1;
        }
        self.sum.bytes_written += done.written;
        self.sum.bytes_shared += done.shared;
        Ok(())
    }

    /// Renames a file that was made early to its final name.
    pub fn rename_early(&mut self, file: &FileStep) -> Result<(), EngineError> {
        let entry = self.context.job.index.entry(file.entry as usize);
        let (directory, name) = self.parents.open(entry.path.as_bytes())?;
        let temporary = Temporary::named(directory, self.context.names.name(file.entry));
        temporary.rename(&name).map_err(|e| EngineError::io(RENAME, entry.path.as_bytes(), e))
    }

    /// Fills the file and reads it back. If that fails because of shared content, writes all of it
    /// from the image.
    fn fill_and_read_back(
        &mut self,
        fd: BorrowedFd,
        file: &FileStep,
        inode: &Entry,
        path: &[u8],
    ) -> Result<FilledBytes, EngineError> {
        let attempt = |worker: &mut Self, file: &FileStep| {
            let done = worker.fill(fd, file, inode, path)?;
            content::read_back(worker.context, &mut worker.buffers, fd, inode, path)?;
            Ok(done)
        };
        match attempt(self, file) {
            Err(error) if file.content != FileContent::Write && is_of_source(&error) => {
                rustix::fs::ftruncate(fd, 0).map_err(|e| EngineError::io("set the length of", path, e))?;
                attempt(self, &FileStep { content: FileContent::Write, ..*file })
            }
            result => result,
        }
    }

    fn fill(
        &mut self,
        fd: BorrowedFd,
        file: &FileStep,
        inode: &Entry,
        path: &[u8],
    ) -> Result<FilledBytes, EngineError> {
        let context = self.context;
        let older = match file.content {
            FileContent::Write => None,
            FileContent::Patch(source) => context.open_source(source)?,
            FileContent::Reflink(source) => {
                if let Some((source, size)) = context.open_source(source)?
                    && size == inode.size
                {
                    match ioctl::clone_file(source.as_fd(), fd) {
                        Ok(()) => {
                            context.job.watch.advance(size);
                            context.done.fetch_add(size, Ordering::Relaxed);
                            return Ok(FilledBytes { written: 0, shared: size });
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
