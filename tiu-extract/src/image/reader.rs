//! What every image offers.

use super::error::ImageError;
use std::io::Read;

/// Gives content. Metadata always comes from the index.
pub trait Image: Send + Sync {
    /// Content of the regular file at `path` (relative, no leading slash, as in the index). What is read is verified by the way the
    /// image was opened; the engine compares the content digest all the same.
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError>;
    /// Where the content lies, to read files in an order that decompresses each block once. Any order is correct.
    fn position(&self, path: &[u8]) -> u64;
}
