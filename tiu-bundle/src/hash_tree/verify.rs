//! Reads an image and checks every block.

use super::levels::{BLOCK, HASH_SIZE, HASHES, Salt, level_blocks};
use crate::BLOCK_SIZE;
use crate::content_digest::Digest;
use crate::read_at::{FetchCost, ReadAt, Reads, SourceFailure};
use crate::sha256::sha256_salted;
use rayon::prelude::*;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tiu_system::hints;
use tiu_system::progress::{Cancelled, Unit, Watch};

/// Most hash blocks that are kept: 16 MiB, all of an image of 2 GiB.
const CACHE_BLOCKS: u64 = 4096;
/// Most blocks that are read at once into memory of our own.
const CHUNK_BLOCKS: u64 = 256;

/// A data or hash block is not what was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum VerityError {
    /// Hash mismatch of a block. `level` 0 is the image itself, 1 the lowest hash level.
    #[error("block {block} of {} is damaged: its hash is {found}, the hash tree says {expected}", level_name(*.level))]
    Mismatch {
        /// 0: image, 1..: hash levels from the bottom.
        level: u32,
        /// Block number within the level.
        block: u64,
        /// Hash of what was read.
        found: Digest,
        /// Hash that the level above holds.
        expected: Digest,
    },
    /// Reading failed.
    #[error("reading the bundle failed at byte {offset}: {source}")]
    Io {
        /// Byte offset in the bundle.
        offset: u64,
        source: io::Error,
    },
    /// There is no hash tree for an image of this size.
    #[error("the image is {size} bytes long, expected a multiple of 4096 that is not 0")]
    Size { size: u64 },
    /// The verification was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn level_name(level: u32) -> String {
    match level {
        0 => "the image".into(),
        n => format!("hash level {n}"),
    }
}

hints! { VerityError {
    forward Cancelled;
    Mismatch { .. } | Size { .. } => {
        "the file is damaged or was changed after it was signed: fetch the bundle again"
    },
    Io { source, .. } if SourceFailure::of(source).is_some() =>
        SourceFailure::of(source).and_then(|failure| failure.hint()),
    Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
        "the file became shorter while it was read: fetch the bundle again"
    },
    Io { .. } => "check the disk or network that the bundle is read from",
} }

impl From<VerityError> for io::Error {
    fn from(error: VerityError) -> Self {
        let kind = match &error {
            VerityError::Io { source, .. } => source.kind(),
            // Not `Interrupted`: readers try again then.
            VerityError::Cancelled(_) => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

type Block = [u8; BLOCK_SIZE];

/// A hash block that was verified, and its number in the tree, counted from the lowest level's
/// first.
struct CachedBlock {
    number: u64,
    block: Block,
}

/// The place of a level of the tree.
struct Level {
    /// Byte offset in the source.
    offset: u64,
    /// Number of its first block among all hash blocks.
    first: u64,
}

/// An image of which every block is checked against the hash tree when it is read.
///
/// Hash blocks are verified once and kept (32 bytes for each 4096 of the image at the lowest level
/// are read on demand, with a cache of at most 16 MiB). `read_exact_at` fails with an `io::Error`
/// of kind `InvalidData` that wraps a [`VerityError`]. A read of whole blocks goes straight to the
/// caller's buffer in one read of the source; other reads are widened to whole blocks, and read in
/// pieces of 1 MiB. After an error the buffer may hold bytes that were not verified.
pub struct VerifiedImage {
    source: Arc<dyn ReadAt>,
    size: u64,
    salt: Salt,
    root: Digest,
    /// From the lowest up.
    levels: Vec<Level>,
    /// A hash block lives in the slot of its number modulo the number of slots. A lock is held for
    /// no longer than it takes to copy a pointer, once for 128 data blocks.
    cache: Vec<Mutex<Option<Arc<CachedBlock>>>>,
}

impl VerifiedImage {
    /// `source` holds the image at 0 and its tree at `image_size`.
    pub fn new(source: Arc<dyn ReadAt>, image_size: u64, salt: Salt, root: Digest) -> Self {
        let blocks = level_blocks(image_size);
        let mut levels = Vec::new();
        let mut first = 0u64;
        // The lowest level lies at the end.
        let mut offset = image_size.saturating_add(blocks.iter().sum::<u64>() * BLOCK);
        for count in blocks {
            offset = offset.saturating_sub(count * BLOCK);
            levels.push(Level { offset, first });
            first += count;
        }
        let cache = (0..first.min(CACHE_BLOCKS)).map(|_| Mutex::new(None)).collect();
        VerifiedImage { source, size: image_size, salt, root, levels, cache }
    }

    /// Checks every block of image and tree, in parallel, with constant memory: 512 KiB for each
    /// thread and the cache. The progress is one phase.
    pub fn verify_all(&self, watch: Watch) -> Result<(), VerityError> {
        self.check_size()?;
        watch.phase("Verifying the image", self.size, Unit::Bytes, || self.verify_blocks(watch))
    }

    fn verify_blocks(&self, watch: Watch) -> Result<(), VerityError> {
        self.announce(&[Range { start: 0, end: self.size }], Reads::Once);
        let blocks = self.size / BLOCK;
        let step = HASHES as u64;
        (0..blocks.div_ceil(step)).into_par_iter().try_for_each_init(Vec::new, |buffer, i| {
            watch.check()?;
            let first = i * step;
            let count = step.min(blocks - first);
            buffer.resize(count as usize * BLOCK_SIZE, 0);
            self.read_blocks(first, buffer)?;
            watch.advance(count * BLOCK);
            Ok(())
        })
    }

    fn check_size(&self) -> Result<(), VerityError> {
        if self.size > 0 && self.size.is_multiple_of(BLOCK) {
            Ok(())
        } else {
            Err(VerityError::Size { size: self.size })
        }
    }

    /// Reads the blocks from number `first` on that fill `buffer`, and checks each.
    fn read_blocks(&self, first: u64, buffer: &mut [u8]) -> Result<(), VerityError> {
        self.read(buffer, first * BLOCK)?;
        let mut hashes: Option<Arc<CachedBlock>> = None;
        for (number, block) in (first..).zip(buffer.as_chunks_mut::<BLOCK_SIZE>().0) {
            if hashes.is_none() || number % HASHES as u64 == 0 {
                hashes = self.hash_block_above(0, number)?;
            }
            self.check_or_fetch_again(0, number, block, number * BLOCK, hashes.as_deref())?;
        }
        Ok(())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), VerityError> {
        self.source.read_exact_at(buffer, offset).map_err(|source| match SourceFailure::of(&source) {
            Some(failure) if failure.is_cancelled() => VerityError::Cancelled(Cancelled),
            _ => VerityError::Io { offset, source },
        })
    }

    /// Like [`check`](Self::check), but a block that is wrong is fetched again once, if its source
    /// can do that: what came over a network may be right where it came from.
    fn check_or_fetch_again(
        &self,
        level: usize,
        number: u64,
        block: &mut Block,
        offset: u64,
        above: Option<&CachedBlock>,
    ) -> Result<(), VerityError> {
        match self.check(level, number, block, above) {
            Err(VerityError::Mismatch { .. }) if self.source.fetch_again(offset..offset + BLOCK) => {
                self.read(block, offset)?;
                self.check(level, number, block, above)
            }
            result => result,
        }
    }

    /// Returns `ranges` with the hash blocks that they need, which come first.
    fn with_hashes(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut hashes = Vec::new();
        let mut step = BLOCK;
        for level in &self.levels {
            step = step.saturating_mul(HASHES as u64);
            for range in ranges.iter().filter(|range| range.start < range.end && range.end <= self.size) {
                let (first, last) = (range.start / step, (range.end - 1) / step);
                hashes.push(level.offset + first * BLOCK..level.offset + (last + 1) * BLOCK);
            }
        }
        hashes.extend(ranges.iter().cloned());
        hashes
    }

    /// Compares `block` with its hash in the hash block above it, or with the root hash where there
    /// is none.
    fn check(
        &self,
        level: usize,
        number: u64,
        block: &Block,
        above: Option<&CachedBlock>,
    ) -> Result<(), VerityError> {
        let slot = (number % HASHES as u64) as usize;
        let expected = match above {
            None => self.root,
            // `slot` is always in range.
            Some(above) => {
                Digest(above.block.as_chunks::<HASH_SIZE>().0.get(slot).copied().unwrap_or_default())
            }
        };
        let found = sha256_salted(&self.salt, block);
        if found == expected {
            Ok(())
        } else {
            Err(VerityError::Mismatch { level: level as u32, block: number, found, expected })
        }
    }

    /// Returns the verified hash block that holds the hash of block `number` of `level` (0: the
    /// image); `None` at the top.
    fn hash_block_above(&self, level: usize, number: u64) -> Result<Option<Arc<CachedBlock>>, VerityError> {
        let Some(above) = self.levels.get(level) else { return Ok(None) };
        let parent = number / HASHES as u64;
        let tree_number = above.first + parent;
        let slot = self.cache.get((tree_number % CACHE_BLOCKS) as usize);
        if let Some(slot) = slot {
            let cached = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cached) = cached.as_ref().filter(|cached| cached.number == tree_number) {
                return Ok(Some(cached.clone()));
            }
        }
        let offset = above.offset + parent * BLOCK;
        let mut block = [0; BLOCK_SIZE];
        self.read(&mut block, offset)?;
        let over = self.hash_block_above(level + 1, parent)?;
        self.check_or_fetch_again(level + 1, parent, &mut block, offset, over.as_deref())?;
        let verified = Arc::new(CachedBlock { number: tree_number, block });
        if let Some(slot) = slot {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(verified.clone());
        }
        Ok(Some(verified))
    }

    /// Reads a range that does not start or end at a block: whole blocks first, the part of them
    /// that was asked for then.
    fn read_unaligned(&self, mut buf: &mut [u8], mut offset: u64) -> Result<(), VerityError> {
        let mut blocks = Vec::new();
        while !buf.is_empty() {
            let first = offset / BLOCK;
            let skip = (offset % BLOCK) as usize;
            let wanted = ((skip + buf.len()).div_ceil(BLOCK_SIZE) as u64).min(CHUNK_BLOCKS);
            blocks.resize(wanted as usize * BLOCK_SIZE, 0);
            self.read_blocks(first, &mut blocks)?;
            let available = blocks.get(skip..).unwrap_or_default();
            let len = available.len().min(buf.len());
            let (head, rest) = std::mem::take(&mut buf).split_at_mut(len);
            head.copy_from_slice(available.get(..len).unwrap_or_default());
            buf = rest;
            offset += len as u64;
        }
        Ok(())
    }
}

impl ReadAt for VerifiedImage {
    fn size(&self) -> u64 {
        self.size
    }
    fn is_remote(&self) -> bool {
        self.source.is_remote()
    }
    fn announce(&self, ranges: &[Range<u64>], reads: Reads) {
        if self.source.is_remote() {
            self.source.announce(&self.with_hashes(ranges), reads);
        }
    }
    fn cost(&self, ranges: &[Range<u64>]) -> Option<FetchCost> {
        self.source.cost(&self.with_hashes(ranges))
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if buf.is_empty() {
            return Ok(());
        }
        self.check_size()?;
        if offset.is_multiple_of(BLOCK) && buf.len().is_multiple_of(BLOCK_SIZE) {
            self.read_blocks(offset / BLOCK, buf)?
        } else {
            self.read_unaligned(buf, offset)?
        }
        Ok(())
    }
}
