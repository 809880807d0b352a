//! The user way: squashfs read in-process, every 4096-byte block checked against the hash tree when it is read.
//!
//! Files are independent readers over one verified image. Blocks of a file that lie together are read in one go. Tails of several files share a
//! fragment; the last few fragments are kept decompressed, so that files read in the order of [`Image::position`] decompress
//! each fragment once, also when several threads meet at one.

use super::layout::{Block, File, Fragment, Layout};
use super::{Image, ImageError};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use tiu_bundle::bundle::Bundle;
use tiu_bundle::hash_tree::VerifiedImage;
use tiu_bundle::read_at::ReadAt;

/// Decompressed fragments that are kept.
const CACHED_FRAGMENTS: usize = 16;
/// Most compressed bytes of a file that are read at once.
const READ_AHEAD: usize = 512 * 1024;

type Slot = Arc<Mutex<Option<Arc<Vec<u8>>>>>;

/// An image that is read in-process.
pub struct UserImage {
    image: Arc<VerifiedImage>,
    layout: Layout,
    fragments: Mutex<VecDeque<(u32, Slot)>>,
}

impl UserImage {
    /// Reads the metadata of the bundle's squashfs.
    pub fn open(bundle: &Bundle) -> Result<Self, ImageError> {
        Self::new(bundle.image())
    }

    fn new(image: VerifiedImage) -> Result<Self, ImageError> {
        let image = Arc::new(image);
        let layout = Layout::read(&image)?;
        Ok(UserImage { image, layout, fragments: Mutex::new(VecDeque::new()) })
    }

    /// The decompressed fragment `number`.
    fn fragment(&self, number: u32) -> io::Result<Arc<Vec<u8>>> {
        let slot = {
            let mut cache = self.fragments.lock().map_err(|_| io::Error::other("a reader panicked"))?;
            match cache.iter().position(|(known, _)| *known == number) {
                Some(at) => cache.get(at).map(|(_, slot)| slot.clone()).unwrap_or_default(),
                None => {
                    let slot = Slot::default();
                    cache.push_back((number, slot.clone()));
                    if cache.len() > CACHED_FRAGMENTS {
                        cache.pop_front();
                    }
                    slot
                }
            }
        };
        // Who comes first decompresses; the others wait for this one fragment only.
        let mut slot = slot.lock().map_err(|_| io::Error::other("a reader panicked"))?;
        if let Some(fragment) = &*slot {
            return Ok(fragment.clone());
        }
        let Fragment { start, block } = *self
            .layout
            .fragments
            .get(number as usize)
            .ok_or_else(|| io::Error::other(format!("no fragment {number}")))?;
        let mut stored = vec![0; block.stored as usize];
        self.image.read_exact_at(&mut stored, start)?;
        let fragment = match block.compressed {
            false => stored,
            true => {
                let mut content = vec![0; self.layout.block_size];
                let length = self.layout.codec.decompress(&stored, &mut content)?;
                content.truncate(length);
                content
            }
        };
        let fragment = Arc::new(fragment);
        *slot = Some(fragment.clone());
        Ok(fragment)
    }
}

impl Image for UserImage {
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        match self.layout.find(path) {
            Some(file) => Ok(Box::new(Reader::new(self, *file))),
            None => Err(ImageError::NotFound { path: OsStr::from_bytes(path).into() }),
        }
    }

    fn position(&self, path: &[u8]) -> u64 {
        let Some(file) = self.layout.find(path) else {
            return u64::MAX;
        };
        match file.tail {
            Some((fragment, _)) if file.blocks == 0 => {
                self.layout.fragments.get(fragment as usize).map_or(u64::MAX, |fragment| fragment.start)
            }
            _ => file.start,
        }
    }
}

/// Reads one file from its start to its end.
struct Reader<'a> {
    image: &'a UserImage,
    /// Bytes that were not decompressed yet.
    left: u64,
    /// Blocks that were not decompressed yet.
    blocks: std::slice::Iter<'a, Block>,
    /// Where the next block lies in the image.
    position: u64,
    tail: Option<(u32, u32)>,
    /// Stored bytes that were read and not decompressed yet.
    ahead: Vec<u8>,
    used: usize,
    /// A decompressed block that the caller's buffer had no room for.
    block: Vec<u8>,
    given: usize,
}

impl<'a> Reader<'a> {
    fn new(image: &'a UserImage, file: File) -> Self {
        let first = file.first_block as usize;
        let blocks = image.layout.blocks.get(first..first + file.blocks as usize).unwrap_or_default();
        Reader {
            image,
            left: file.size,
            blocks: blocks.iter(),
            position: file.start,
            tail: file.tail,
            ahead: Vec::new(),
            used: 0,
            block: Vec::new(),
            given: 0,
        }
    }

    /// Makes sure that the next `length` stored bytes are in `ahead`; reads more where blocks follow.
    fn read_ahead(&mut self, length: usize) -> io::Result<()> {
        if self.ahead.len() - self.used >= length {
            return Ok(());
        }
        // Only whole blocks are read ahead, so nothing of a block is left over here.
        let following = self.blocks.as_slice().iter().map(|block| block.stored as usize);
        let mut total = length;
        for stored in following {
            if total + stored > READ_AHEAD {
                break;
            }
            total += stored;
        }
        self.ahead.resize(total, 0);
        self.used = 0;
        self.image.image.read_exact_at(&mut self.ahead, self.position)?;
        self.position += total as u64;
        Ok(())
    }

    /// Decompresses the next `out.len()` bytes: one block, or the tail.
    fn decompress(&mut self, out: &mut [u8]) -> io::Result<()> {
        let Some(block) = self.blocks.next() else {
            let Some((fragment, offset)) = self.tail else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let content = self.image.fragment(fragment)?;
            let from = offset as usize;
            let Some(tail) = content.get(from..from + out.len()) else {
                return Err(io::Error::other(format!(
                    "a tail of {} bytes at {from} in a fragment of {}",
                    out.len(),
                    content.len()
                )));
            };
            out.copy_from_slice(tail);
            return Ok(());
        };
        if block.stored == 0 {
            out.fill(0);
            return Ok(());
        }
        let length = block.stored as usize;
        self.read_ahead(length)?;
        let stored = self.ahead.get(self.used..self.used + length).unwrap_or_default();
        self.used += length;
        let found = match block.compressed {
            true => self.image.layout.codec.decompress(stored, out)?,
            false => {
                let length = stored.len().min(out.len());
                if let (Some(space), Some(bytes)) = (out.get_mut(..length), stored.get(..length)) {
                    space.copy_from_slice(bytes);
                }
                stored.len()
            }
        };
        match found == out.len() {
            true => Ok(()),
            false => Err(io::Error::other(format!("a block of {found} bytes, expected {}", out.len()))),
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() {
            let next = self.left.min(self.image.layout.block_size as u64) as usize;
            if next == 0 || buf.is_empty() {
                return Ok(0);
            }
            if let Some(out) = buf.get_mut(..next) {
                self.decompress(out)?;
                self.left -= next as u64;
                return Ok(next);
            }
            let mut block = std::mem::take(&mut self.block);
            block.resize(next, 0);
            self.decompress(&mut block)?;
            self.left -= next as u64;
            self.block = block;
            self.given = 0;
        }
        let length = (self.block.len() - self.given).min(buf.len());
        if let (Some(out), Some(bytes)) =
            (buf.get_mut(..length), self.block.get(self.given..self.given + length))
        {
            out.copy_from_slice(bytes);
        }
        self.given += length;
        Ok(length)
    }
}
