//! The layout of a bundle. All arithmetic on sizes is checked.

use crate::BLOCK_SIZE;
use crate::hash_tree::tree_size;
use crate::signature::MAX_CMS_SIZE;
use tiu_system::hints;

/// Size in bytes of the number at the end of a bundle.
pub const TRAILER_SIZE: u64 = 8;

const BLOCK: u64 = BLOCK_SIZE as u64;

/// The layout of a bundle, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size of the squashfs image; the hash tree starts here.
    pub image_size: u64,
    /// Size of the hash tree; the CMS starts at `image_size + tree_size`.
    pub tree_size: u64,
    /// Size of the CMS.
    pub cms_size: u64,
}

/// The sizes in a bundle do not fit together. All sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum LayoutError {
    /// The file has no content.
    #[error("the file is empty")]
    EmptyFile,
    /// No room for the trailer and anything before it.
    #[error("the file is {size} bytes long, too short for a bundle")]
    TooShort { size: u64 },
    /// The trailer says that there is no signature, or a huge one.
    #[error(
        "the last 8 bytes of the file say that the signature is {found} bytes long, expected 1 to {MAX_CMS_SIZE}"
    )]
    CmsSize { found: u64 },
    /// The trailer says that the signature is longer than the file.
    #[error(
        "the last 8 bytes of the file say that the signature is {found} bytes long, but only {available} are before them"
    )]
    CmsBeyondFile {
        found: u64,
        /// Bytes before the trailer.
        available: u64,
    },
    /// The manifest says that the hash tree is larger than the file.
    #[error(
        "the manifest says that the hash tree is {found} bytes long, but only {available} are before the signature"
    )]
    TreeBeyondFile {
        /// `verity-size`.
        found: u64,
        /// Bytes before the signature.
        available: u64,
    },
    /// The image does not consist of whole blocks.
    #[error(
        "the image is {found} bytes long, expected a multiple of 4096, at least 8192: bytes were lost or added"
    )]
    ImageSize {
        /// Bytes left for the image.
        found: u64,
    },
    /// The hash tree is not the one for this image.
    #[error("the hash tree is {found} bytes long, expected {expected} for an image of {image_size}")]
    TreeSize {
        /// `verity-size`.
        found: u64,
        /// The size that follows from the size of the image.
        expected: u64,
        /// Size of the image.
        image_size: u64,
    },
}

hints! { LayoutError {
    TreeSize { .. } | TreeBeyondFile { .. } | ImageSize { .. } =>
        "the file was truncated or changed after it was signed: fetch the bundle again",
    _ => "the file is not a bundle, or it is truncated: compare its size with the original and fetch it \
          again",
} }

/// Returns the size of the CMS from the trailer of a file of `file_size` bytes.
pub(super) fn cms_size(file_size: u64, trailer: [u8; 8]) -> Result<u64, LayoutError> {
    let found = u64::from_be_bytes(trailer);
    if found == 0 || found > MAX_CMS_SIZE {
        return Err(LayoutError::CmsSize { found });
    }
    let available = file_size.saturating_sub(TRAILER_SIZE);
    if found > available { Err(LayoutError::CmsBeyondFile { found, available }) } else { Ok(found) }
}

/// Checks that there can be a trailer.
pub(super) fn file_size(size: u64) -> Result<(), LayoutError> {
    match size {
        0 => Err(LayoutError::EmptyFile),
        1..=TRAILER_SIZE => Err(LayoutError::TooShort { size }),
        _ => Ok(()),
    }
}

impl Layout {
    /// Computes the layout from the size of the file, of the CMS (from the trailer) and of the hash
    /// tree (from the manifest).
    pub fn new(file_size: u64, cms_size: u64, verity_size: u64) -> Result<Self, LayoutError> {
        let before_trailer =
            file_size.checked_sub(TRAILER_SIZE).ok_or(LayoutError::TooShort { size: file_size })?;
        let available = before_trailer
            .checked_sub(cms_size)
            .ok_or(LayoutError::CmsBeyondFile { found: cms_size, available: before_trailer })?;
        let image_size = available
            .checked_sub(verity_size)
            .ok_or(LayoutError::TreeBeyondFile { found: verity_size, available })?;
        // A single block would have no hash tree, which RAUC cannot express.
        if image_size < 2 * BLOCK || !image_size.is_multiple_of(BLOCK) {
            return Err(LayoutError::ImageSize { found: image_size });
        }
        match tree_size(image_size) {
            expected if expected != verity_size => {
                Err(LayoutError::TreeSize { found: verity_size, expected, image_size })
            }
            tree_size => Ok(Layout { image_size, tree_size, cms_size }),
        }
    }

    /// Returns where the CMS starts. What is before it does not change when a bundle is signed
    /// again.
    pub fn cms_offset(&self) -> u64 {
        // Both are parts of one file.
        self.image_size + self.tree_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGE: u64 = 300 * BLOCK;

    fn file(image: u64, tree: u64, cms: u64) -> u64 {
        image + tree + cms + TRAILER_SIZE
    }

    #[test]
    fn good() {
        let tree_size = tree_size(IMAGE);
        let layout = Layout::new(file(IMAGE, tree_size, 1000), 1000, tree_size);
        assert_eq!(layout, Ok(Layout { image_size: IMAGE, tree_size, cms_size: 1000 }));
    }

    #[test]
    fn verity_size_too_small_or_too_large() {
        let tree = tree_size(IMAGE);
        for (found, image_size) in [(tree - BLOCK, IMAGE + BLOCK), (tree + BLOCK, IMAGE - BLOCK)] {
            let expected = tree_size(image_size);
            let found_error = Layout::new(file(IMAGE, tree, 1000), 1000, found);
            assert_eq!(found_error, Err(LayoutError::TreeSize { found, expected, image_size }));
        }
        let available = IMAGE + tree;
        for found in [available + BLOCK, u64::MAX - 4095] {
            let found_error = Layout::new(file(IMAGE, tree, 1000), 1000, found);
            assert_eq!(found_error, Err(LayoutError::TreeBeyondFile { found, available }));
        }
    }

    #[test]
    fn image_not_a_multiple_of_4096() {
        let tree = tree_size(IMAGE);
        for lost in [1, 512, 4095] {
            let found = IMAGE - lost;
            assert_eq!(
                Layout::new(file(found, tree, 1000), 1000, tree),
                Err(LayoutError::ImageSize { found })
            );
        }
        assert_eq!(Layout::new(file(0, BLOCK, 9), 9, BLOCK), Err(LayoutError::ImageSize { found: 0 }));
        assert_eq!(
            Layout::new(file(BLOCK, BLOCK, 9), 9, BLOCK),
            Err(LayoutError::ImageSize { found: BLOCK })
        );
    }

    #[test]
    fn cms_sizes() {
        for (found, file_size) in [(0, 1 << 20), (MAX_CMS_SIZE + 1, 1 << 20), (u64::MAX, 1 << 20)] {
            assert_eq!(cms_size(file_size, found.to_be_bytes()), Err(LayoutError::CmsSize { found }));
        }
        assert_eq!(
            cms_size(100, 93u64.to_be_bytes()),
            Err(LayoutError::CmsBeyondFile { found: 93, available: 92 })
        );
        assert_eq!(cms_size(100, 92u64.to_be_bytes()), Ok(92));
        assert_eq!(cms_size(1 << 20, MAX_CMS_SIZE.to_be_bytes()), Ok(MAX_CMS_SIZE));
    }

    proptest! {
        #[test]
        fn parts_always_add_up(file_size: u64, cms_size: u64, verity_size: u64) {
            if let Ok(layout) = Layout::new(file_size, cms_size, verity_size) {
                prop_assert_eq!(layout.image_size + layout.tree_size + layout.cms_size + TRAILER_SIZE, file_size);
            }
        }
    }
}
