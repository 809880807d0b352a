//! The user way: this process reads the squashfs, and checks every 4096-byte block against the hash
//! tree when it reads it.

use super::error::ImageError;
use super::reader::Image;
use super::squashfs::Squashfs;
use std::io::Read;
use std::sync::Arc;
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::{Bundle, BundleError};
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::read_at::{FetchCost, Reads};
use tiu_system::path::{TreePath, TreePathBuf};

/// The most bytes of a hash tree that are fetched at once, although not all may be needed.
const WHOLE_TREE: u64 = 4 << 20;

/// An image that this process reads.
pub struct UserImage(Squashfs);

impl UserImage {
    /// Reads the names in the bundle's squashfs.
    pub fn open(bundle: &Bundle) -> Result<Self, ImageError> {
        if bundle.source.is_remote() {
            let tree = bundle.layout.image_size..bundle.layout.cms_offset();
            let first = 0..BLOCK_SIZE as u64;
            if tree.end - tree.start <= WHOLE_TREE {
                bundle.source.announce(&[tree, first], Reads::Often);
            }
            bundle.check_superblock().map_err(image_error)?;
        }
        Ok(UserImage(Squashfs::open(Arc::new(bundle.image()))?))
    }
}

impl Image for UserImage {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        match self.0.file(path)? {
            Some(file) => Ok(Box::new(file)),
            None => Err(ImageError::NotFound { path: path.as_path().to_owned() }),
        }
    }

    fn position(&self, path: &TreePath) -> u64 {
        self.0.position(path).unwrap_or(u64::MAX)
    }

    fn is_remote(&self) -> bool {
        self.0.is_remote()
    }

    fn announce(&self, paths: &[TreePathBuf], reads: Reads) {
        self.0.announce(paths, reads);
    }

    fn cost(&self, paths: &[TreePathBuf]) -> Option<FetchCost> {
        self.0.cost(paths)
    }
}

/// Returns the error of an image whose first block is wrong.
fn image_error(error: BundleError) -> ImageError {
    match error {
        BundleError::Verity(error) => error.into(),
        BundleError::Io(source) => VerityError::Io { offset: 0, source }.into(),
        error => ImageError::Squashfs { message: error.to_string() },
    }
}
