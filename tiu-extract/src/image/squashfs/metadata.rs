//! Metadata blocks as streams of bytes.
//!
//! Inodes and directories are stored in blocks of 8 KiB that are compressed one by one; each begins
//! with 16 bits: its stored size, and whether it is not compressed. What is stored goes on from one
//! block to the next, so a reader is a cursor that begins anywhere and follows them.

use super::block::{malformed, read};
use super::cache::Cache;
use super::codec::Codec;
use crate::image::error::ImageError;
use std::sync::Arc;
use tiu_bundle::read_at::ReadAt;

/// The size in bytes of a decompressed block.
const BLOCK: usize = 8192;
/// The number of blocks that are kept decompressed (1 MiB).
const CACHED: usize = 128;
const UNCOMPRESSED: u16 = 1 << 15;

/// All metadata of an image.
pub struct Metadata {
    source: Arc<dyn ReadAt>,
    used: u64,
    compressor: Codec,
    /// Decompressed blocks, by their offset in the image.
    blocks: Cache<Block>,
}

/// A decompressed block, never empty.
struct Block {
    bytes: Vec<u8>,
    /// The offset of the next block.
    next: u64,
}

impl Metadata {
    /// Returns the metadata of an image of which `used` bytes are in use.
    pub fn new(source: Arc<dyn ReadAt>, used: u64, compressor: Codec) -> Self {
        Metadata { source, used, compressor, blocks: Cache::new(CACHED) }
    }

    /// Returns a cursor at byte `at` of the block at byte `offset` of the image.
    pub fn cursor(&self, offset: u64, at: usize) -> Result<Cursor<'_>, ImageError> {
        let block = self.block(offset)?;
        if at > block.bytes.len() {
            return Err(malformed(format!(
                "byte {at} of the metadata block at byte {offset}, which has {}",
                block.bytes.len()
            )));
        }
        Ok(Cursor { metadata: self, block, at })
    }

    fn block(&self, offset: u64) -> Result<Arc<Block>, ImageError> {
        self.blocks.get(offset, || {
            let rest = self.used.saturating_sub(offset);
            // Reads the header and the longest block at once: checking one block of the image too
            // many is faster than checking one twice.
            let length = usize::try_from(rest).unwrap_or(usize::MAX).min(BLOCK + 2);
            let mut stored = vec![0; length];
            read(&*self.source, self.used, offset, &mut stored)?;
            let cut = || malformed(format!("the metadata block at byte {offset} is truncated"));
            let (header, rest) = stored.split_first_chunk().ok_or_else(cut)?;
            let header = u16::from_le_bytes(*header);
            let size = usize::from(header & !UNCOMPRESSED);
            if size == 0 || size > BLOCK {
                return Err(malformed(format!(
                    "the metadata block at byte {offset} has {size} bytes, expected 1 to {BLOCK}"
                )));
            }
            let stored = rest.get(..size).ok_or_else(cut)?;
            let bytes = if header & UNCOMPRESSED == 0 {
                let mut bytes = vec![0; BLOCK];
                let length = self.compressor.decompress(stored, &mut bytes).map_err(|e| {
                    malformed(format!("the metadata block at byte {offset} cannot be decompressed: {e}"))
                })?;
                bytes.truncate(length);
                bytes
            } else {
                stored.to_vec()
            };
            if bytes.is_empty() {
                return Err(malformed(format!("the metadata block at byte {offset} is empty")));
            }
            Ok(Block { bytes, next: offset + 2 + size as u64 })
        })
    }
}

/// Reads bytes from one place onwards.
pub struct Cursor<'a> {
    metadata: &'a Metadata,
    block: Arc<Block>,
    at: usize,
}

impl Cursor<'_> {
    /// Fills `buf`.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<(), ImageError> {
        let mut buf = buf;
        while !buf.is_empty() {
            let rest = self.block.bytes.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.block = self.metadata.block(self.block.next)?;
                self.at = 0;
                continue;
            }
            let length = rest.len().min(buf.len());
            let (space, left) = buf.split_at_mut(length);
            space.copy_from_slice(rest.get(..length).unwrap_or_default());
            self.at += length;
            buf = left;
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// Skips `N` bytes.
    pub fn skip<const N: usize>(&mut self) -> Result<(), ImageError> {
        self.array::<N>().map(drop)
    }

    /// Reads 16 bits.
    pub fn u16(&mut self) -> Result<u16, ImageError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Reads 32 bits.
    pub fn u32(&mut self) -> Result<u32, ImageError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads 64 bits.
    pub fn u64(&mut self) -> Result<u64, ImageError> {
        self.array().map(u64::from_le_bytes)
    }
}
