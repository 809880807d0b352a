//! The blocks of an opened image.

use super::block::{StoredBlock, malformed, read};
use super::cache::Cache;
use super::inode::read_fragments;
use super::metadata::Metadata;
use super::superblock::Superblock;
use crate::image::error::ImageError;
use std::ops::Range;
use std::sync::Arc;
use tiu_bundle::read_at::{ReadAt, Reads};

/// The most bytes of decompressed fragments to keep.
const FRAGMENT_CACHE: usize = 4 << 20;

/// The tables of an image, and its blocks. Many threads can read them at the same time.
pub(super) struct Store {
    source: Arc<dyn ReadAt>,
    pub superblock: Superblock,
    pub metadata: Metadata,
    pub fragments: Vec<StoredBlock>,
    /// Decompressed fragments, by number.
    cache: Cache<Vec<u8>>,
}

impl Store {
    /// Reads the superblock and the table of fragments.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, ImageError> {
        let superblock = Superblock::read(&*source)?;
        // All tables lie behind the content.
        let tables = [superblock.inode_table, superblock.directory_table, superblock.fragment_table];
        let first = tables.into_iter().min().unwrap_or(superblock.used).min(superblock.used);
        source.announce(&[Range { start: first, end: superblock.used }], Reads::Often);
        let metadata = Metadata::new(source.clone(), superblock.used, superblock.compressor);
        let fragments = read_fragments(&*source, &metadata, &superblock)?;
        let cache = Cache::new((FRAGMENT_CACHE / superblock.block_size as usize).clamp(8, 64));
        Ok(Store { source, superblock, metadata, fragments, cache })
    }

    /// Returns the source of the bytes.
    pub fn source(&self) -> &dyn ReadAt {
        &*self.source
    }

    /// Returns the decompressed fragment `number`.
    pub fn fragment(&self, number: u32) -> Result<Arc<Vec<u8>>, ImageError> {
        self.cache.get(u64::from(number), || {
            let count = self.fragments.len();
            let block = *usize::try_from(number)
                .ok()
                .and_then(|number| self.fragments.get(number))
                .ok_or_else(|| malformed(format!("fragment {number} of {count}")))?;
            let mut stored = vec![0; block.size.stored()];
            self.read(block.start, &mut stored)?;
            if !block.size.is_compressed() {
                return Ok(stored);
            }
            let mut content = vec![0; self.superblock.block_size as usize];
            let length = self.decompress(&stored, &mut content, block.start)?;
            content.truncate(length);
            Ok(content)
        })
    }

    /// Fills `buf` from `offset` of the bytes that are in use.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), ImageError> {
        read(&*self.source, self.superblock.used, offset, buf)
    }

    /// Decompresses the block that was stored at `offset` and returns the number of bytes.
    pub fn decompress(&self, stored: &[u8], out: &mut [u8], offset: u64) -> Result<usize, ImageError> {
        self.superblock
            .compressor
            .decompress(stored, out)
            .map_err(|e| malformed(format!("the block at byte {offset} cannot be decompressed: {e}")))
    }
}
