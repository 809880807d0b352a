//! Inodes of regular files and directories, and the table of fragments.

use super::block::{StoredBlock, StoredSize, malformed, read};
use super::metadata::{Cursor, Metadata};
use super::superblock::Superblock;
use crate::image::error::ImageError;
use tiu_bundle::read_at::ReadAt;

/// The fragment of a file that has none.
const NONE: u32 = u32::MAX;
/// The size of a directory counts 3 bytes for `.` and `..`, which are not stored.
const DOTS: u32 = 3;

/// The part of a regular file's inode before the list of block sizes.
#[derive(Clone, Copy)]
pub struct FileInode {
    /// The size of the content in bytes.
    pub size: u64,
    /// The offset of the first block in the image.
    pub start: u64,
    /// The number of blocks.
    pub blocks: u64,
    /// The number of the fragment that holds the last bytes, and their offset in it.
    pub tail: Option<(u32, u32)>,
}

/// The basic kinds of inodes. The extended ones are 7 higher.
pub(super) mod kind {
    pub const DIRECTORY: u16 = 1;
    pub const FILE: u16 = 2;
    pub const LAST: u16 = 7;
    pub const EXTENDED: u16 = 7;
}

impl FileInode {
    /// Returns a cursor after the header of the inode `reference`, and the inode's kind.
    fn cursor<'a>(
        metadata: &'a Metadata,
        superblock: &Superblock,
        reference: u64,
    ) -> Result<(Cursor<'a>, u16), ImageError> {
        let offset = superblock.inode_table.checked_add(reference >> 16);
        let offset =
            offset.ok_or_else(|| malformed(format!("inode {reference:#x} is outside of its table")))?;
        let mut cursor = metadata.cursor(offset, usize::from(reference as u16))?;
        let kind = cursor.u16()?;
        cursor.skip::<14>()?; // mode, owner, group, time, number
        Ok((cursor, kind))
    }

    /// Reads the inode `reference`, which must be a regular file's; the cursor stands at its first
    /// block size.
    pub fn read<'a>(
        metadata: &'a Metadata,
        superblock: &Superblock,
        reference: u64,
    ) -> Result<(Self, Cursor<'a>), ImageError> {
        const EXTENDED: u16 = kind::FILE + kind::EXTENDED;
        let (mut cursor, kind) = Self::cursor(metadata, superblock, reference)?;
        let (start, size, fragment, offset);
        match kind {
            kind::FILE => {
                start = u64::from(cursor.u32()?);
                (fragment, offset) = (cursor.u32()?, cursor.u32()?);
                size = u64::from(cursor.u32()?);
            }
            EXTENDED => {
                (start, size) = (cursor.u64()?, cursor.u64()?);
                cursor.skip::<12>()?; // bytes in holes, number of names
                (fragment, offset) = (cursor.u32()?, cursor.u32()?);
                cursor.skip::<4>()?; // xattrs
            }
            _ => return Err(malformed(format!("inode {reference:#x} is of kind {kind}, expected a file"))),
        }
        let block_size = u64::from(superblock.block_size);
        let (blocks, tail) = match fragment {
            NONE => (size.div_ceil(block_size), None),
            _ if size.is_multiple_of(block_size) => (size / block_size, None),
            _ => (size / block_size, Some((fragment, offset))),
        };
        Ok((FileInode { size, start, blocks, tail }, cursor))
    }
}

/// Returns a cursor at the first header of a directory's listing, and the listing's size in bytes.
pub(super) fn listing<'a>(
    metadata: &'a Metadata,
    superblock: &Superblock,
    reference: u64,
) -> Result<Option<(Cursor<'a>, u32)>, ImageError> {
    const EXTENDED: u16 = kind::DIRECTORY + kind::EXTENDED;
    let (mut cursor, kind) = FileInode::cursor(metadata, superblock, reference)?;
    let (block, size, offset);
    match kind {
        kind::DIRECTORY => {
            block = cursor.u32()?;
            cursor.skip::<4>()?; // number of names
            (size, offset) = (u32::from(cursor.u16()?), cursor.u16()?);
        }
        EXTENDED => {
            cursor.skip::<4>()?; // number of names
            (size, block) = (cursor.u32()?, cursor.u32()?);
            cursor.skip::<6>()?; // parent, length of its search index
            offset = cursor.u16()?;
        }
        _ => return Err(malformed(format!("inode {reference:#x} is of kind {kind}, expected a directory"))),
    }
    if size <= DOTS {
        return Ok(None);
    }
    let start = superblock.directory_table.checked_add(u64::from(block));
    let start =
        start.ok_or_else(|| malformed(format!("directory {reference:#x} is outside of its table")))?;
    Ok(Some((metadata.cursor(start, usize::from(offset))?, size - DOTS)))
}

/// Reads the table of fragments: a list of offsets, each of a metadata block with 512 entries.
pub fn read_fragments(
    source: &dyn ReadAt,
    metadata: &Metadata,
    superblock: &Superblock,
) -> Result<Vec<StoredBlock>, ImageError> {
    const ENTRIES: u64 = 512;
    let count = u64::from(superblock.fragments);
    let mut fragments = Vec::new();
    for block in 0..count.div_ceil(ENTRIES) {
        let place = superblock.fragment_table.checked_add(8 * block);
        let place = place.ok_or_else(|| malformed("the fragment table is outside of the image".into()))?;
        let mut offset = [0; 8];
        read(source, superblock.used, place, &mut offset)?;
        let mut cursor = metadata.cursor(u64::from_le_bytes(offset), 0)?;
        for _ in 0..ENTRIES.min(count - block * ENTRIES) {
            let (start, size) = (cursor.u64()?, cursor.u32()?);
            cursor.skip::<4>()?; // unused
            let place = || format!("fragment {}", fragments.len());
            let size = StoredSize::check(size, superblock.block_size, place)?;
            if start.checked_add(size.stored() as u64).is_none_or(|end| end > superblock.used) {
                return Err(malformed(format!(
                    "fragment {} of {} bytes at byte {start}, but it ends at {}",
                    fragments.len(),
                    size.stored(),
                    superblock.used
                )));
            }
            fragments.push(StoredBlock { start, size });
        }
    }
    Ok(fragments)
}
