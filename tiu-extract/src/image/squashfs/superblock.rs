//! The superblock: the first 96 bytes.

use super::block::{malformed, read};
use super::codec::Codec;
use crate::image::error::ImageError;
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::hash_tree::tree_size;
use tiu_bundle::index::{MAX_ENTRIES, MIN_LINE_SIZE, text_limit};
use tiu_bundle::read_at::ReadAt;

const MAGIC: u32 = 0x7371_7368;
const SIZE: usize = 96;

/// The fields that this reader needs, checked.
#[derive(Debug)]
pub struct Superblock {
    /// The number of bytes in use, from the start of the image.
    pub used: u64,
    /// The size of a data block in bytes: a power of two from 4 KiB to 1 MiB.
    pub block_size: u32,
    /// The compressor of all blocks.
    pub compressor: Codec,
    /// The number of inodes.
    pub inodes: u64,
    /// The most bytes that the index of an image of this size can have. All names are in it.
    pub index_limit: u64,
    /// The number of fragments.
    pub fragments: u32,
    /// The reference to the root's inode.
    pub root: u64,
    /// The offset of the inodes.
    pub inode_table: u64,
    /// The offset of the directories.
    pub directory_table: u64,
    /// The offset of the list of the fragment table's blocks.
    pub fragment_table: u64,
}

impl Superblock {
    /// Reads and checks the superblock of `source`.
    pub fn read(source: &dyn ReadAt) -> Result<Self, ImageError> {
        let mut bytes = [0; SIZE];
        read(source, source.size(), 0, &mut bytes)?;
        let mut fields = Fields(&bytes);
        let magic = fields.u32()?;
        if magic != MAGIC {
            return Err(malformed(format!("it begins with {magic:#010x}, expected {MAGIC:#010x}")));
        }
        let inodes = u64::from(fields.u32()?);
        fields.u32()?; // time of creation
        let block_size = fields.u32()?;
        let fragments = fields.u32()?;
        let compressor = fields.u16()?;
        let block_log = u32::from(fields.u16()?);
        fields.u16()?; // flags: each table and block repeats those that matter
        fields.u16()?; // number of owners
        let version = (fields.u16()?, fields.u16()?);
        let root = fields.u64()?;
        let used = fields.u64()?;
        fields.u64()?; // table of owners
        fields.u64()?; // table of xattrs
        let inode_table = fields.u64()?;
        let directory_table = fields.u64()?;
        let fragment_table = fields.u64()?;

        if version != (4, 0) {
            return Err(malformed(format!("version {}.{}, expected 4.0", version.0, version.1)));
        }
        if !(4096..=1 << 20).contains(&block_size) || 1u32.checked_shl(block_log) != Some(block_size) {
            return Err(malformed(format!(
                "blocks of {block_size} bytes (2^{block_log}), expected a power of two from 4096 to 1048576"
            )));
        }
        if used > source.size() {
            return Err(malformed(format!("{used} bytes are in use, but it has {}", source.size())));
        }
        let index_limit =
            text_limit(MAX_ENTRIES, tree_size(source.size().next_multiple_of(BLOCK_SIZE as u64)));
        let most = MAX_ENTRIES.min(index_limit / MIN_LINE_SIZE);
        if inodes > most || u64::from(fragments) > inodes {
            return Err(malformed(format!(
                "{inodes} inodes and {fragments} fragments, expected at most {most} and no more fragments than inodes"
            )));
        }
        let compressor = Codec::from_id(compressor)?;
        Ok(Superblock {
            used,
            block_size,
            compressor,
            inodes,
            index_limit,
            fragments,
            root,
            inode_table,
            directory_table,
            fragment_table,
        })
    }
}

/// Reads little-endian numbers from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let (first, rest) =
            self.0.split_first_chunk().ok_or_else(|| malformed("the superblock is truncated".into()))?;
        self.0 = rest;
        Ok(*first)
    }
    fn u16(&mut self) -> Result<u16, ImageError> {
        self.take().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Result<u32, ImageError> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, ImageError> {
        self.take().map(u64::from_le_bytes)
    }
}
