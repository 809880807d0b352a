//! The user way: this process reads the squashfs, and checks every 4096-byte block against the hash
//! tree when it reads it.

use super::error::ImageError;
use super::reader::Image;
use super::squashfs::Squashfs;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;

/// An image that this process reads.
pub struct UserImage(Squashfs);

impl UserImage {
    /// Reads the names in the bundle's squashfs.
    pub fn open(bundle: &Bundle) -> Result<Self, ImageError> {
        Ok(UserImage(Squashfs::open(Arc::new(bundle.image()))?))
    }
}

impl Image for UserImage {
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        match self.0.file(path)? {
            Some(file) => Ok(Box::new(file)),
            None => Err(ImageError::NotFound { path: OsStr::from_bytes(path).into() }),
        }
    }

    fn position(&self, path: &[u8]) -> u64 {
        self.0.position(path).unwrap_or(u64::MAX)
    }
}
