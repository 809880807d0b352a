//! A squashfs 4.0 image, read in-process: which regular files there are, and their content.
//!
//! ```text
//! superblock  sizes, compressor, where the tables are
//! metadata    the compressed tables as streams of bytes
//! tree        all names, read once; a regular file is a reference to its inode
//! file        one file's content: blocks, holes, and a tail in a fragment that it shares with other files
//! codec       decompression of one block
//! cache       what several readers need at once is decompressed once
//! ```
//!
//! Every number comes from the image and is checked before it is used; no input panics, recurses without a bound, or allocates more than the
//! image's own limits allow. Memory is small and does not grow with the size of files: a file's list of blocks is read from
//! its inode as the file is read. Owners, modes, times and xattrs are not read: the index has them.
//!
//! Sources: `Documentation/filesystems/squashfs.rst` and `fs/squashfs/squashfs_fs.h` of Linux.

mod cache;
mod codec;
mod file;
mod metadata;
mod superblock;
mod tree;

pub use file::FileReader;

use super::ImageError;
use cache::Cache;
use metadata::Metadata;
use std::sync::Arc;
use superblock::Superblock;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::read_at::ReadAt;
use tree::{Inode, Tree};

/// Bytes of decompressed fragments that are kept.
const FRAGMENT_CACHE: usize = 4 << 20;

/// An opened image. Many threads can read its files at once.
pub struct Squashfs {
    source: Arc<dyn ReadAt>,
    superblock: Superblock,
    metadata: Metadata,
    tree: Tree,
    fragments: Vec<StoredBlock>,
    /// Decompressed fragments, by number.
    cache: Cache<Vec<u8>>,
}

/// Where a block lies in the image and how long it is there.
#[derive(Clone, Copy, Debug)]
struct StoredBlock {
    start: u64,
    size: BlockSize,
}

/// The size word of a data block: bit 24 says that it is not compressed, the bits below are its bytes in the image; 0 is a hole.
#[derive(Clone, Copy, Debug)]
struct BlockSize(u32);

impl BlockSize {
    const UNCOMPRESSED: u32 = 1 << 24;

    /// `block_size`: the image's; no block is longer, as one that does not get shorter is stored as it is.
    fn check(word: u32, block_size: u32, what: impl FnOnce() -> String) -> Result<Self, ImageError> {
        let size = BlockSize(word);
        match word >> 25 == 0 && size.stored() <= block_size as usize {
            true => Ok(size),
            false => Err(malformed(format!(
                "{}: a block of size {word:#x}, expected at most {block_size}",
                what()
            ))),
        }
    }

    fn stored(self) -> usize {
        (self.0 & (Self::UNCOMPRESSED - 1)) as usize
    }

    fn is_compressed(self) -> bool {
        self.0 & Self::UNCOMPRESSED == 0
    }

    fn is_hole(self) -> bool {
        self.stored() == 0
    }
}

impl Squashfs {
    /// Reads the superblock and all names.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, ImageError> {
        let superblock = Superblock::read(&*source)?;
        let metadata = Metadata::new(source.clone(), superblock.used, superblock.compressor);
        let fragments = tree::read_fragments(&*source, &metadata, &superblock)?;
        let tree = Tree::read(&metadata, &superblock, &fragments)?;
        let cache = Cache::new((FRAGMENT_CACHE / superblock.block_size as usize).clamp(8, 64));
        Ok(Squashfs { source, superblock, metadata, tree, fragments, cache })
    }

    /// Content of the regular file at `path` (relative, without leading slash); `None` when there is none.
    pub fn file(&self, path: &[u8]) -> Result<Option<FileReader<'_>>, ImageError> {
        match self.tree.find(path) {
            Some(file) => Ok(Some(FileReader::new(self, file.inode)?)),
            None => Ok(None),
        }
    }

    /// Where the content of the file begins in the image, in bytes: its first block, or the fragment that holds all of it.
    pub fn position(&self, path: &[u8]) -> Option<u64> {
        self.tree.find(path).map(|file| file.position)
    }

    /// Calls `each` with the path of every regular file; an inode of several names is given for each of them.
    pub fn for_each_file(&self, each: impl FnMut(&[u8])) {
        self.tree.for_each_file(each);
    }

    /// The decompressed fragment `number`.
    fn fragment(&self, number: u32) -> Result<Arc<Vec<u8>>, ImageError> {
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

    /// Fills `buf` from `offset` of what the superblock says is used.
    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), ImageError> {
        read(&*self.source, self.superblock.used, offset, buf)
    }

    /// Decompresses the block that was stored at `offset`; gives the number of bytes.
    fn decompress(&self, stored: &[u8], out: &mut [u8], offset: u64) -> Result<usize, ImageError> {
        self.superblock
            .compressor
            .decompress(stored, out)
            .map_err(|e| malformed(format!("the block at byte {offset} cannot be decompressed: {e}")))
    }
}

fn malformed(message: String) -> ImageError {
    ImageError::Squashfs { message }
}

/// Fills `buf` from `offset`, which with the length must lie in the first `used` bytes.
fn read(source: &dyn ReadAt, used: u64, offset: u64, buf: &mut [u8]) -> Result<(), ImageError> {
    if offset.checked_add(buf.len() as u64).is_none_or(|end| end > used) {
        return Err(malformed(format!("{} bytes at byte {offset}, but it ends at {used}", buf.len())));
    }
    source.read_exact_at(buf, offset).map_err(|e| match e.downcast::<VerityError>() {
        Ok(e) => e.into(),
        Err(source) => VerityError::Io { offset, source }.into(),
    })
}
