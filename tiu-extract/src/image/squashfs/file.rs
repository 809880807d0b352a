//! Reads one file from start to end.
//!
//! Blocks that follow each other in the image are read in one go, decompressed one by one, and
//! straight into the caller's buffer where it has room for a block. The list of their sizes is read
//! from the inode on the way.

use super::block::{StoredSize, malformed};
use super::inode::FileInode;
use super::metadata::Cursor;
use super::store::Store;
use crate::image::error::ImageError;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// The most stored bytes to read at once.
const READ_AHEAD: usize = 512 * 1024;

/// The content of one file.
pub struct FileReader<'a> {
    store: &'a Store,
    /// Stands at the next block size.
    sizes: Cursor<'a>,
    /// The number of block sizes that are not read yet.
    sizes_left: u64,
    /// Blocks that are read (their bytes are in `stored`) and not decompressed yet.
    ahead: VecDeque<StoredSize>,
    stored: Vec<u8>,
    used: usize,
    /// The offset in the image of the bytes that follow `stored`.
    position: u64,
    tail: Option<(u32, u32)>,
    /// Bytes of content that are not returned yet.
    left: u64,
    /// DecodedBlock that the caller's buffer had no room for.
    block: DecodedBlock,
    returned: usize,
}

/// One block of content.
enum DecodedBlock {
    Own(Vec<u8>),
    Fragment(Arc<Vec<u8>>, usize),
}

impl DecodedBlock {
    fn rest(&self, start: usize) -> &[u8] {
        match self {
            DecodedBlock::Own(bytes) => bytes.get(start..),
            DecodedBlock::Fragment(bytes, end) => bytes.get(start..*end),
        }
        .unwrap_or_default()
    }
}

impl<'a> FileReader<'a> {
    pub(super) fn new(store: &'a Store, inode: u64) -> Result<Self, ImageError> {
        let (inode, sizes) = FileInode::read(&store.metadata, &store.superblock, inode)?;
        Ok(FileReader {
            store,
            sizes,
            sizes_left: inode.blocks,
            ahead: VecDeque::new(),
            stored: Vec::new(),
            used: 0,
            position: inode.start,
            tail: inode.tail,
            left: inode.size,
            block: DecodedBlock::Own(Vec::new()),
            returned: 0,
        })
    }

    /// Returns the ranges of the image that hold the content: of the blocks, and of the fragment
    /// with the tail.
    pub(super) fn ranges(mut self) -> Result<Vec<Range<u64>>, ImageError> {
        let mut blocks = self.position..self.position;
        for _ in 0..self.sizes_left {
            let place = || format!("a file at byte {}", self.position);
            let size = StoredSize::check(self.sizes.u32()?, self.store.superblock.block_size, place)?;
            blocks.end = blocks.end.saturating_add(size.stored() as u64);
        }
        let tail = self.tail.and_then(|(number, _)| self.store.fragments.get(number as usize));
        let tail = tail.map(|fragment| fragment.start..fragment.start + fragment.size.stored() as u64);
        Ok([Some(blocks), tail].into_iter().flatten().filter(|range| !range.is_empty()).collect())
    }

    /// Returns the size of the next block, whose bytes are in `stored` from `used`; `None` if only
    /// the tail follows.
    fn next_block(&mut self) -> Result<Option<StoredSize>, ImageError> {
        if self.ahead.is_empty() && self.sizes_left > 0 {
            let mut total = 0;
            while self.sizes_left > 0 && total < READ_AHEAD && self.ahead.len() < 1024 {
                let place = || format!("a file at byte {}", self.position);
                let size = StoredSize::check(self.sizes.u32()?, self.store.superblock.block_size, place)?;
                total += size.stored();
                self.ahead.push_back(size);
                self.sizes_left -= 1;
            }
            self.stored.resize(total, 0);
            self.used = 0;
            self.store.read(self.position, &mut self.stored)?;
            self.position += total as u64;
        }
        Ok(self.ahead.pop_front())
    }

    /// Fills `out` with one block, which must have the same length.
    fn decompress(&mut self, block: StoredSize, out: &mut [u8]) -> Result<(), ImageError> {
        if block.is_hole() {
            out.fill(0);
            return Ok(());
        }
        let stored = self.stored.get(self.used..self.used + block.stored()).unwrap_or_default();
        let offset = self.position - (self.stored.len() - self.used) as u64;
        self.used += block.stored();
        let found = if block.is_compressed() {
            self.store.decompress(stored, out, offset)?
        } else {
            if stored.len() == out.len() {
                out.copy_from_slice(stored);
            }
            stored.len()
        };
        if found != out.len() {
            return Err(malformed(format!(
                "the block at byte {offset} has {found} bytes of content, expected {}",
                out.len()
            )));
        }
        Ok(())
    }

    /// Copies bytes of the next block, or of the tail, to `buf`.
    fn read_block(&mut self, buf: &mut [u8]) -> Result<usize, ImageError> {
        let length = self.left.min(u64::from(self.store.superblock.block_size)) as usize;
        let Some(block) = self.next_block()? else {
            let (number, offset) = self.tail.ok_or_else(|| malformed("a file has too few blocks".into()))?;
            let fragment = self.store.fragment(number)?;
            let offset = offset as usize;
            let end = offset.checked_add(length).filter(|end| *end <= fragment.len()).ok_or_else(|| {
                malformed(format!(
                    "a tail of {length} bytes at byte {offset} of fragment {number}, which has {}",
                    fragment.len()
                ))
            })?;
            (self.block, self.returned) = (DecodedBlock::Fragment(fragment, end), offset);
            return Ok(self.copy_current(buf));
        };
        if let Some(out) = buf.get_mut(..length) {
            self.decompress(block, out)?;
            self.left -= length as u64;
            return Ok(length);
        }
        let mut content = match std::mem::replace(&mut self.block, DecodedBlock::Own(Vec::new())) {
            DecodedBlock::Own(content) => content,
            DecodedBlock::Fragment(..) => Vec::new(),
        };
        self.returned = 0;
        content.resize(length, 0);
        self.decompress(block, &mut content)?;
        self.block = DecodedBlock::Own(content);
        Ok(self.copy_current(buf))
    }

    /// Copies bytes of the current block to `buf`.
    fn copy_current(&mut self, buf: &mut [u8]) -> usize {
        let rest = self.block.rest(self.returned);
        let length = rest.len().min(buf.len());
        if let (Some(out), Some(bytes)) = (buf.get_mut(..length), rest.get(..length)) {
            out.copy_from_slice(bytes);
        }
        self.returned += length;
        self.left -= length as u64;
        length
    }
}

impl Read for FileReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.left == 0 {
            return Ok(0);
        }
        match self.copy_current(buf) {
            0 => self.read_block(buf).map_err(|e| match e {
                // In the form that `VerifiedImage` returns.
                ImageError::Verity(e) => e.into(),
                e => io::Error::new(io::ErrorKind::InvalidData, e),
            }),
            length => Ok(length),
        }
    }
}
