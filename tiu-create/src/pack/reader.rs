//! Reads files ahead of the tar stream, so that compression never waits for the disk.
//!
//! One thread reads the plan's files in their order and hands their content over in buffers; a
//! bounded queue of them is all the memory that it needs, regardless of the size of the tree. Each
//! file is compared with what the scan found, before and after.

use super::tar::{Extent, takes_extents};
use crate::plan::{ImagePlan, Item, ItemContent};
use crate::tree::{Root, ScanError, lost_flags, mtime};
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, IFlags, OFlags, SeekFrom, Stat, fadvise, fstat, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tiu_bundle::index::Kind;

/// Bytes in a buffer.
const BUFFER: u64 = 256 * 1024;
/// Buffers in the queue: 16 MiB of content read ahead.
const QUEUE: usize = 64;

/// A piece of a file of the plan. Pieces come in order: `Begin`, then `Data` until all bytes are
/// complete.
pub enum Piece {
    /// A file starts. `extents` are its pieces of data where it is sparse, `flags` its inode flags.
    Begin { extents: Option<Vec<Extent>>, flags: IFlags },
    /// Content; of sparse files only that of the extents.
    Data(Vec<u8>),
    /// All content was handed over, and the file is still as the scan found it.
    End,
    /// The file could not be read. Nothing follows.
    Failed(ScanError),
}

/// Starts reading in `scope`. Reading stops when the receiver is dropped.
pub fn read_ahead<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    root: &'scope Root,
    plan: &'scope ImagePlan,
) -> Receiver<Piece> {
    let (sender, receiver) = sync_channel(QUEUE);
    scope.spawn(move || {
        let files = plan.items.iter().filter_map(|item| match item.content {
            ItemContent::Tree(source) => Some((item, plan.tree.names.get(source))),
            _ => None,
        });
        for (item, path) in files {
            match read_file(root, item, path, &sender) {
                Ok(()) => {}
                Err(Stop::Unwanted) => return,
                Err(Stop::Failed(error)) => {
                    // If nobody listens any longer, there is already another error.
                    let _ = sender.send(Piece::Failed(error));
                    return;
                }
            }
        }
    });
    receiver
}

enum Stop {
    /// The receiver was dropped.
    Unwanted,
    Failed(ScanError),
}

fn read_file(root: &Root, item: &Item, path: &[u8], out: &SyncSender<Piece>) -> Result<(), Stop> {
    let fail =
        |what| move |e: Errno| Stop::Failed(ScanError::Io { path: path.to_vec(), what, source: e.into() });
    let send = |piece| out.send(piece).map_err(|_| Stop::Unwanted);
    let fd = root.open_exactly(path, OFlags::empty()).map_err(fail("opening"))?;
    let before = fstat(&fd).map_err(fail("reading the metadata"))?;
    let size = item.node.size;
    check(path, "its size in bytes", size, u64::try_from(before.st_size).unwrap_or(0))?;
    if Kind::from_mode(before.st_mode) != Some(Kind::File) {
        return Err(changed(path, "it was a regular file and no longer is one".into()));
    }
    let extents = if (before.st_blocks as u64).saturating_mul(512) < size {
        extents(&fd, size).map_err(fail("looking for holes"))?
    } else {
        None
    };
    let whole = [Extent { offset: 0, length: size }];
    let pieces = extents.clone();
    let flags = lost_flags(&fd);
    send(Piece::Begin { extents, flags })?;
    // Best effort: it makes the kernel read larger pieces ahead.
    let _ = fadvise(&fd, 0, None, Advice::Sequential);
    let mut file = File::from(fd);
    let fail_io = |source| Stop::Failed(ScanError::Io { path: path.to_vec(), what: "reading", source });
    for extent in pieces.as_deref().unwrap_or(&whole) {
        file.seek(io::SeekFrom::Start(extent.offset)).map_err(fail_io)?;
        let mut rest = extent.length;
        while rest > 0 {
            let wanted = rest.min(BUFFER);
            let mut buffer = Vec::with_capacity(wanted as usize);
            let read = file.by_ref().take(wanted).read_to_end(&mut buffer).map_err(fail_io)? as u64;
            rest -= read;
            if read < wanted {
                return Err(changed(path, format!("it ended {rest} bytes before its size of {size}")));
            }
            send(Piece::Data(buffer))?;
        }
    }
    let fd = file;
    let after = fstat(&fd).map_err(fail("reading the metadata"))?;
    check(path, "its size in bytes", size, u64::try_from(after.st_size).unwrap_or(0))?;
    if written(&before) != written(&after) {
        return Err(changed(path, "it was written to".into()));
    }
    send(Piece::End)
}

fn written(stat: &Stat) -> (tiu_bundle::index::Mtime, i64, u64) {
    (mtime(stat), stat.st_ctime, stat.st_ctime_nsec)
}

fn check(path: &[u8], what: &str, was: u64, is: u64) -> Result<(), Stop> {
    if was == is { Ok(()) } else { Err(changed(path, format!("{what} was {was} and is now {is}"))) }
}

fn changed(path: &[u8], what: String) -> Stop {
    Stop::Failed(ScanError::Changed { path: path.to_vec(), what })
}

/// The pieces of data of a file with holes, or `None` when they are too many for a tar header, or
/// the filesystem does not report them.
fn extents(fd: &OwnedFd, size: u64) -> Result<Option<Vec<Extent>>, Errno> {
    let mut extents = Vec::new();
    let mut position = 0;
    while position < size {
        let start = match seek(fd, SeekFrom::Data(position)) {
            Ok(start) => start.min(size),
            // Only a hole is left.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            Err(e) => return Err(e),
        };
        let end = seek(fd, SeekFrom::Hole(start))?.min(size);
        if end > start {
            extents.push(Extent { offset: start, length: end - start });
        }
        position = end.max(start + 1);
        if extents.len() > 4096 {
            return Ok(None);
        }
    }
    let has_holes = extents != [Extent { offset: 0, length: size }];
    Ok(Some(extents).filter(|extents| has_holes && takes_extents(size, extents)))
}
