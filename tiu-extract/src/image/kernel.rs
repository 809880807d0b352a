//! The kernel way (next).
use super::{Image, ImageError};
use std::io::Read;
use tiu_bundle::bundle::Bundle;

/// An image that the kernel verifies.
pub struct KernelImage {}

impl KernelImage {
    /// Not yet.
    pub fn open(_bundle: &Bundle) -> Result<Self, ImageError> {
        Err(ImageError::NoKernelWay { reason: "not built yet".into() })
    }
}

impl Image for KernelImage {
    fn open(&self, _path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        Err(ImageError::NoKernelWay { reason: "not built yet".into() })
    }
    fn position(&self, _path: &[u8]) -> u64 {
        0
    }
}

/// Whether this kernel can.
pub fn is_available() -> bool {
    false
}

/// Not yet.
pub fn mount_at(_bundle: &Bundle, _directory: &std::path::Path) -> Result<(), ImageError> {
    Err(ImageError::NoKernelWay { reason: "not built yet".into() })
}
