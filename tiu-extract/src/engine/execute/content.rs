//! The content of one file: reads it from the image, shares blocks or leaves holes where it can,
//! writes the rest, and reads the file back.
//!
//! The digest is computed from what is read back, not from what was handed to the kernel: one
//! digest then vouches for the image, the sharing and the writing. The file gets its place only
//! afterwards.

use super::context::{ExecuteContext, reflink_failed};
use crate::engine::error::{EngineError, shown};
use crate::engine::unreadable::is_damage;
use rustix::io::Errno;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::content_digest::ContentHasher;
use tiu_bundle::index::Entry;
use tiu_system::ioctl;

/// Bytes to read, compare and write at once: few enough to stay in a core's cache meanwhile.
const SIZE: usize = 256 * 1024;
/// The number of zero blocks in a row that become a hole. A shorter hole costs about as much in
/// metadata and in a split extent as it saves.
const HOLE: usize = 4;

/// The buffers of a thread.
#[derive(Default)]
pub(super) struct Buffers {
    new: Vec<u8>,
    old: Vec<u8>,
}

/// The bytes of a file that were written, and that were shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FilledBytes {
    pub written: u64,
    pub shared: u64,
}

/// The treatment of some blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockAction {
    Write,
    /// Share: they equal the old file's at the same offset.
    Share,
    /// Leave a hole: they are zeros.
    Hole,
}

/// Cuts `new` into runs of blocks. `old` is the old file's content at the same offset, as far as it
/// goes. Its last block can only be compared if it is whole, or if `tail` says that both files end
/// in the same place.
pub(super) fn block_runs(new: &[u8], old: &[u8], tail: bool) -> Vec<(BlockAction, usize)> {
    let mut runs: Vec<(BlockAction, usize)> = Vec::new();
    let mut old_blocks = old.chunks(BLOCK_SIZE);
    for block in new.chunks(BLOCK_SIZE) {
        let older = old_blocks.next().unwrap_or_default();
        let run = if block.len() == BLOCK_SIZE && is_zero(block) {
            BlockAction::Hole
        } else if block == older && (tail || block.len() == BLOCK_SIZE) {
            BlockAction::Share
        } else {
            BlockAction::Write
        };
        match runs.last_mut() {
            Some((last, len)) if *last == run => *len += block.len(),
            _ => runs.push((run, block.len())),
        }
    }
    // Short holes are shared where the old file has zero blocks too, and written otherwise.
    let mut offset = 0;
    let mut joined: Vec<(BlockAction, usize)> = Vec::new();
    for (run, len) in runs {
        let short = run == BlockAction::Hole && len < HOLE * BLOCK_SIZE;
        let run = if !short {
            run
        } else if old.get(offset..offset + len).is_some_and(is_zero) {
            BlockAction::Share
        } else {
            BlockAction::Write
        };
        match joined.last_mut() {
            Some((last, total)) if *last == run => *total += len,
            _ => joined.push((run, len)),
        }
        offset += len;
    }
    joined
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZERO: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];
    bytes.chunks(BLOCK_SIZE).all(|chunk| ZERO.get(..chunk.len()) == Some(chunk))
}

/// Chooses the pieces of a file that are compared with its older version: all of them while that
/// pays. After each piece with nothing to share, twice as many are written without comparing. A
/// file that changed everywhere is then not read twice, and one that changed in places loses
/// little.
#[derive(Default)]
struct Probe {
    skip: u32,
    left: u32,
}

impl Probe {
    /// The most pieces to skip in a row.
    const MOST: u32 = 15;

    fn is_due(&mut self) -> bool {
        let due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        due
    }

    fn result(&mut self, shared: bool) {
        self.skip = if shared { 0 } else { (self.skip * 2 + 1).min(Self::MOST) };
        self.left = self.skip;
    }
}

/// A file that is being written.
struct Writer<'a> {
    context: &'a ExecuteContext<'a>,
    path: &'a [u8],
    file: BorrowedFd<'a>,
    old: Option<BorrowedFd<'a>>,
    /// Offset and length of blocks that are to be shared and are not yet.
    pending: (u64, u64),
    done: FilledBytes,
}

/// Fills the empty `file` with the content of `inode`, sharing blocks with `old` where they are
/// equal.
pub(super) fn write(
    context: &ExecuteContext,
    buffers: &mut Buffers,
    file: BorrowedFd,
    inode: &Entry,
    path: &[u8],
    old: Option<(&OwnedFd, u64)>,
) -> Result<FilledBytes, EngineError> {
    let Buffers { new, old: older } = buffers;
    new.resize(SIZE, 0);
    older.resize(SIZE, 0);
    let size = inode.size;
    let mut reader = context.job.image.open(&inode.path)?;
    let mut writer = Writer {
        context,
        path,
        file,
        old: old.map(|(fd, _)| fd.as_fd()),
        pending: (0, 0),
        done: FilledBytes::default(),
    };
    let tail = old.is_some_and(|(_, old_size)| old_size == size);
    let mut probe = Probe::default();
    let mut offset = 0u64;
    // The end of the last byte that is written or shared.
    let mut end = 0u64;
    loop {
        context.job.watch.check()?;
        let n =
            read_full(&mut *reader, new).map_err(|source| EngineError::Read { path: shown(path), source })?;
        let bytes = new.get(..n).unwrap_or_default();
        if n as u64 > size.saturating_sub(offset) {
            return Err(EngineError::Size {
                path: shown(path),
                found: offset.saturating_add(n as u64),
                expected: size,
            });
        }
        let m = match writer.old {
            Some(fd) if n > 0 && probe.is_due() => {
                match pread_full(fd, older.get_mut(..n).unwrap_or_default(), offset) {
                    Ok(read) => read,
                    // What cannot be read is not shared.
                    Err(e) if is_damage(e) => 0,
                    Err(e) => return Err(EngineError::io("read the older version of", path, e)),
                }
            }
            _ => 0,
        };
        if offset == 0 && m > 0 {
            // With the final length, blocks can be shared in any order.
            rustix::fs::ftruncate(file, size).map_err(|e| EngineError::io("set the length of", path, e))?;
            end = size;
        }
        let mut at = 0;
        let runs = block_runs(bytes, older.get(..m).unwrap_or_default(), tail);
        if m > 0 {
            probe.result(runs.iter().any(|(run, _)| *run == BlockAction::Share));
        }
        for (run, len) in runs {
            let data = bytes.get(at..at + len).unwrap_or_default();
            let here = offset + at as u64;
            match run {
                BlockAction::Write => {
                    writer.write(data, here)?;
                    end = end.max(here + len as u64);
                }
                BlockAction::Share => writer.share(here, len as u64)?,
                BlockAction::Hole => {}
            }
            at += len;
        }
        offset += n as u64;
        context.job.watch.advance(n as u64);
        context.done.fetch_add(n as u64, Ordering::Relaxed);
        if n < new.len() {
            break;
        }
    }
    writer.flush()?;
    if offset != size {
        return Err(EngineError::Size { path: shown(path), found: offset, expected: size });
    }
    if end < size {
        rustix::fs::ftruncate(file, size).map_err(|e| EngineError::io("set the length of", path, e))?;
    }
    Ok(writer.done)
}

/// Reads a complete file back, and fails unless it has the digest of `inode`.
pub(super) fn read_back(
    context: &ExecuteContext,
    buffers: &mut Buffers,
    file: BorrowedFd,
    inode: &Entry,
    path: &[u8],
) -> Result<(), EngineError> {
    let buffer = &mut buffers.new;
    buffer.resize(SIZE, 0);
    let mut hasher = ContentHasher::new();
    loop {
        context.job.watch.check()?;
        let n = pread_full(file, buffer, hasher.size()).map_err(|e| EngineError::io("read back", path, e))?;
        hasher.update(buffer.get(..n).unwrap_or_default());
        if n < buffer.len() {
            break;
        }
    }
    match (hasher.finalize(), inode.digest) {
        (found, Some(expected)) if found != expected => {
            Err(EngineError::Digest { path: shown(path), found, expected })
        }
        _ => Ok(()),
    }
}

impl Writer<'_> {
    fn write(&mut self, data: &[u8], offset: u64) -> Result<(), EngineError> {
        let mut rest = data;
        while !rest.is_empty() {
            let at = offset + (data.len() - rest.len()) as u64;
            match rustix::io::pwrite(self.file, rest, at) {
                Ok(0) => return Err(EngineError::io("write", self.path, Errno::NOSPC)),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(e) => return Err(EngineError::io("write", self.path, e)),
            }
        }
        self.done.written += data.len() as u64;
        Ok(())
    }

    /// Shares a range with the old file, together with adjacent ranges before it.
    fn share(&mut self, offset: u64, len: u64) -> Result<(), EngineError> {
        let (start, pending) = self.pending;
        if pending > 0 && start + pending == offset {
            self.pending.1 += len;
            return Ok(());
        }
        self.flush()?;
        self.pending = (offset, len);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        let (offset, len) = std::mem::take(&mut self.pending);
        let Some(old) = self.old.filter(|_| len > 0) else { return Ok(()) };
        match ioctl::clone_range(old, offset, len, self.file, offset) {
            Ok(()) => {
                self.done.shared += len;
                Ok(())
            }
            Err(error) => {
                reflink_failed(self.context, self.path, error)?;
                self.copy(old, offset, len)
            }
        }
    }

    /// Copies a range of the old file that could not be shared. The range was compared before.
    fn copy(&mut self, old: BorrowedFd, offset: u64, len: u64) -> Result<(), EngineError> {
        let mut buf = vec![0; SIZE];
        let end = offset + len;
        let mut at = offset;
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(SIZE).min(SIZE);
            let n = pread_full(old, buf.get_mut(..want).unwrap_or_default(), at)
                .map_err(|e| EngineError::io("read the older version of", self.path, e))?;
            if n == 0 {
                break;
            }
            self.write(buf.get(..n).unwrap_or_default(), at)?;
            at += n as u64;
        }
        Ok(())
    }
}

/// Reads until `buf` is full or the content ends.
fn read_full(reader: &mut dyn Read, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn pread_full(fd: BorrowedFd, buf: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(fd, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter is a block of that byte, `.` one of zeros; a lower-case last letter is half a
    /// block.
    fn blocks(text: &str) -> Vec<u8> {
        let block = |c: char| match c {
            '.' => vec![0; BLOCK_SIZE],
            c if c.is_ascii_lowercase() => vec![c.to_ascii_uppercase() as u8; BLOCK_SIZE / 2],
            c => vec![c as u8; BLOCK_SIZE],
        };
        text.chars().flat_map(block).collect()
    }

    fn cut(new: &str, old: &str, tail: bool) -> String {
        let letter = |(run, len): (BlockAction, usize)| {
            let letter = match run {
                BlockAction::Write => 'W',
                BlockAction::Share => 'S',
                BlockAction::Hole => 'H',
            };
            std::iter::repeat_n(letter, len.div_ceil(BLOCK_SIZE))
        };
        block_runs(&blocks(new), &blocks(old), tail).into_iter().flat_map(letter).collect()
    }

    #[test]
    fn blocks_that_are_equal_at_the_same_offset_are_shared() {
        assert_eq!(cut("AABBCC", "AAXBCC", true), "SSWSSS");
        assert_eq!(cut("ABC", "", true), "WWW");
        assert_eq!(cut("ABC", "A", false), "SWW");
        assert_eq!(cut("A", "ABC", false), "S");
    }

    #[test]
    fn half_a_block_is_shared_only_where_both_files_end() {
        assert_eq!(cut("ABc", "ABc", true), "SSS");
        assert_eq!(cut("ABc", "ABc", false), "SSW");
        assert_eq!(cut("ABc", "ABC", false), "SSW");
    }

    #[test]
    fn long_runs_of_zeros_are_holes_and_short_ones_are_shared_or_written() {
        assert_eq!(cut("A....B", "A....B", true), "SHHHHS");
        assert_eq!(cut("A....B", "", true), "WHHHHW");
        assert_eq!(cut("A...B", "A...B", true), "SSSSS");
        assert_eq!(cut("A...B", "X...X", true), "WSSSW");
        assert_eq!(cut("A...B", "", true), "WWWWW");
        assert_eq!(cut("..", "AA", true), "WW");
    }

    #[test]
    fn a_file_that_shares_nothing_is_compared_ever_less_often() {
        let mut probe = Probe::default();
        let mut compared = |pieces: u32, shares: fn(u32) -> bool| -> Vec<u32> {
            let due = |piece: &u32| probe.is_due().then(|| probe.result(shares(*piece))).is_some();
            (0..pieces).filter(due).collect()
        };
        assert_eq!(compared(40, |_| false), [0, 2, 6, 14, 30]);
        assert_eq!(compared(12, |_| true), [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn neighbours_of_one_kind_are_one_run() {
        let share = |blocks: usize| (BlockAction::Share, blocks * BLOCK_SIZE);
        assert_eq!(block_runs(&blocks("A.B.."), &blocks("A.B.."), true), [share(5)]);
    }
}
