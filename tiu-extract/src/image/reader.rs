//! The trait of all images.

use super::error::ImageError;
use std::io::Read;
use tiu_system::path::TreePath;

/// An image, as a source of content. Metadata always comes from the index.
pub trait Image: Send + Sync {
    /// Returns the content of the regular file at `path` (relative, no leading slash, as in the
    /// index). The image verifies what is read, in the way it was opened; the engine compares the
    /// content digest in any case.
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError>;
    /// Returns the position of the content. Reading files in the order of their positions
    /// decompresses each block once. Any order is correct.
    fn position(&self, path: &TreePath) -> u64;
}
