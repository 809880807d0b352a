//! Where the content of each regular file lies in the squashfs.
//!
//! backhand parses inodes and directories; what is kept is one compact, sorted table. Its numbers come from the image, so each is
//! checked here once, and readers can rely on them.

use super::ImageError;
use super::codec::Codec;
use backhand::{FilesystemReader, InnerNode, SquashfsFileReader};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use tiu_bundle::hash_tree::{VerifiedImage, VerityError};
use tiu_bundle::read_at::ReadAt;

/// `fragment` of a file that has none.
const NO_FRAGMENT: usize = 0xffff_ffff;

/// A stored block: its bytes on disk, and whether they are compressed.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Bytes on disk; 0: a block of zeros that is not stored.
    pub stored: u32,
    /// Whether the bytes are compressed.
    pub compressed: bool,
}

/// Where one file lies.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Bytes of content.
    pub size: u64,
    /// Offset of the first block in the image.
    pub start: u64,
    /// First block in [`Layout::blocks`].
    pub first_block: u32,
    /// Number of blocks.
    pub blocks: u32,
    /// Fragment that holds the tail, and the tail's offset in it.
    pub tail: Option<(u32, u32)>,
}

/// A fragment: one block that holds the tails of several files.
#[derive(Clone, Copy, Debug)]
pub struct Fragment {
    /// Offset in the image.
    pub start: u64,
    /// Its block.
    pub block: Block,
}

/// All files of an image.
pub struct Layout {
    paths: Vec<(Box<[u8]>, File)>,
    /// Blocks of all files.
    pub blocks: Vec<Block>,
    /// Fragments.
    pub fragments: Vec<Fragment>,
    /// Size of a block in bytes: a power of two from 4 KiB to 1 MiB.
    pub block_size: usize,
    /// How blocks are compressed.
    pub codec: Codec,
}

impl Layout {
    /// Reads the metadata of a squashfs.
    pub fn read(image: &Arc<VerifiedImage>) -> Result<Self, ImageError> {
        let failure = Arc::new(Mutex::new(None));
        let cursor = Cursor { image: image.clone(), position: 0, failure: failure.clone() };
        let squashfs = FilesystemReader::from_reader(BufReader::with_capacity(64 * 1024, cursor));
        let damaged = failure.lock().ok().and_then(|mut failure| failure.take());
        match (squashfs, damaged) {
            (_, Some(damaged)) => Err(damaged.into()),
            (Ok(squashfs), None) => Self::collect(&squashfs, image.size()),
            (Err(e), None) => Err(malformed(e.to_string())),
        }
    }

    /// The file at `path` (relative, without leading slash).
    pub fn find(&self, path: &[u8]) -> Option<&File> {
        let at = self.paths.binary_search_by(|(known, _)| (**known).cmp(path)).ok()?;
        self.paths.get(at).map(|(_, file)| file)
    }

    fn collect(squashfs: &FilesystemReader, image_size: u64) -> Result<Self, ImageError> {
        let block_size = squashfs.block_size;
        if !block_size.is_power_of_two() || !(4096..=1 << 20).contains(&block_size) {
            return Err(malformed(format!(
                "blocks of {block_size} bytes, expected a power of two from 4096 to 1048576"
            )));
        }
        let codec = Codec::new(squashfs.compressor.unwrap_or_default().into())?;
        let fragments = squashfs.fragments.iter().flatten().map(|fragment| Fragment {
            start: fragment.start,
            block: Block { stored: fragment.size.size(), compressed: !fragment.size.uncompressed() },
        });
        let mut layout = Layout {
            paths: Vec::new(),
            blocks: Vec::new(),
            fragments: fragments.collect(),
            block_size: block_size as usize,
            codec,
        };
        for fragment in &layout.fragments {
            check_block("a fragment", fragment.start, fragment.block, block_size, image_size)?;
        }
        for node in squashfs.files() {
            if let InnerNode::File(file) = &node.inner {
                let path = node.fullpath.as_os_str().as_bytes();
                let path = path.strip_prefix(b"/").unwrap_or(path);
                let file = layout.file(path, file, image_size)?;
                layout.paths.push((path.into(), file));
            }
        }
        layout.paths.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        layout.paths.shrink_to_fit();
        layout.blocks.shrink_to_fit();
        Ok(layout)
    }

    /// Checks one file's numbers and takes its blocks over.
    fn file(&mut self, path: &[u8], file: &SquashfsFileReader, image_size: u64) -> Result<File, ImageError> {
        let wrong = |message: String| malformed(format!("{}: {message}", String::from_utf8_lossy(path)));
        let block_size = self.block_size as u64;
        let size = file.file_len() as u64;
        let fragment = file.frag_index();
        let tail_size = size % block_size;
        let has_tail = fragment != NO_FRAGMENT && tail_size > 0;
        let expected = if has_tail { size / block_size } else { size.div_ceil(block_size) };
        let sizes = file.block_sizes();
        if sizes.len() as u64 != expected {
            return Err(wrong(format!("{} blocks for {size} bytes, expected {expected}", sizes.len())));
        }
        let tail = match has_tail {
            false => None,
            true => {
                let offset = file.block_offset();
                let index = u32::try_from(fragment).unwrap_or(u32::MAX);
                if self.fragments.get(fragment).is_none() {
                    return Err(wrong(format!(
                        "its tail is in fragment {fragment} of {}",
                        self.fragments.len()
                    )));
                }
                if u64::from(offset) + tail_size > block_size {
                    return Err(wrong(format!("its tail of {tail_size} bytes is at {offset} of a fragment")));
                }
                Some((index, offset))
            }
        };
        let first_block =
            u32::try_from(self.blocks.len()).map_err(|_| malformed("more than 2^32 blocks".into()))?;
        let mut position = file.blocks_start();
        for size in sizes {
            let block = Block { stored: size.size(), compressed: !size.uncompressed() };
            check_block("a block", position, block, self.block_size as u32, image_size)
                .map_err(|e| wrong(e.to_string()))?;
            position = position.saturating_add(u64::from(block.stored));
            self.blocks.push(block);
        }
        Ok(File { size, start: file.blocks_start(), first_block, blocks: sizes.len() as u32, tail })
    }
}

fn malformed(message: String) -> ImageError {
    ImageError::Squashfs { message }
}

fn check_block(
    what: &str,
    start: u64,
    block: Block,
    block_size: u32,
    image_size: u64,
) -> Result<(), ImageError> {
    let inside = start.checked_add(u64::from(block.stored)).is_some_and(|end| end <= image_size);
    if block.stored > block_size {
        return Err(malformed(format!(
            "{what} of {} stored bytes, expected at most {block_size}",
            block.stored
        )));
    }
    match inside || block.stored == 0 {
        true => Ok(()),
        false => Err(malformed(format!(
            "{what} of {} bytes at {start}, but the image has {image_size}",
            block.stored
        ))),
    }
}

/// A cursor over the verified image for backhand, which loses the reason of a failed read: it is kept aside.
struct Cursor {
    image: Arc<VerifiedImage>,
    position: u64,
    failure: Arc<Mutex<Option<VerityError>>>,
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.image.size().saturating_sub(self.position);
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let Some(space) = buf.get_mut(..length) else {
            return Ok(0);
        };
        if let Err(e) = self.image.read_exact_at(space, self.position) {
            let kind = e.kind();
            if let (Ok(damaged), Ok(mut failure)) = (e.downcast::<VerityError>(), self.failure.lock()) {
                *failure = Some(damaged);
            }
            return Err(kind.into());
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.image.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
