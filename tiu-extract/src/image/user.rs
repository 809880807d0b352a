//! The user way: this process reads the squashfs, and checks every 4096-byte block against the hash
//! tree when it reads it.

use super::error::ImageError;
use super::reader::Image;
use super::squashfs::Squashfs;
use std::io::Read;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_system::path::TreePath;

/// An image that this process reads.
pub struct UserImage(Squashfs);

impl UserImage {
    /// Reads the names in the bundle's squashfs.
    pub fn open(bundle: &Bundle) -> Result<Self, ImageError> {
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
}
