//! Places and sizes of blocks, and reading their bytes.

use crate::image::error::ImageError;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::read_at::ReadAt;

/// The place of a block in the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBlock {
    pub start: u64,
    pub size: StoredSize,
}

/// The size word of a data block: bit 24 is set if it is not compressed, the bits below are its
/// bytes in the image. 0 is a hole.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredSize(u32);

impl StoredSize {
    const UNCOMPRESSED: u32 = 1 << 24;

    /// Checks `word`. No block is longer than the image's `block_size`: one that compression does
    /// not shorten is stored uncompressed.
    pub fn check(word: u32, block_size: u32, place: impl FnOnce() -> String) -> Result<Self, ImageError> {
        let size = StoredSize(word);
        if word >> 25 != 0 || size.stored() > block_size as usize {
            return Err(malformed(format!(
                "{}: a block of size {word:#x}, expected at most {block_size}",
                place()
            )));
        }
        Ok(size)
    }

    pub fn stored(self) -> usize {
        (self.0 & (Self::UNCOMPRESSED - 1)) as usize
    }

    pub fn is_compressed(self) -> bool {
        self.0 & Self::UNCOMPRESSED == 0
    }

    pub fn is_hole(self) -> bool {
        self.stored() == 0
    }
}

/// Returns an error that names the found and the expected value.
/// Returns an error that names the found and the expected value.
pub(super) fn malformed(message: String) -> ImageError {
    ImageError::Squashfs { message }
}

/// Fills `buf` from `offset`. All of it must lie in the first `used` bytes.
pub(super) fn read(source: &dyn ReadAt, used: u64, offset: u64, buf: &mut [u8]) -> Result<(), ImageError> {
    if offset.checked_add(buf.len() as u64).is_none_or(|end| end > used) {
        return Err(malformed(format!("{} bytes at byte {offset}, but it ends at {used}", buf.len())));
    }
    source.read_exact_at(buf, offset).map_err(|e| match e.downcast::<VerityError>() {
        Ok(e) => e.into(),
        Err(source) => VerityError::Io { offset, source }.into(),
    })
}
