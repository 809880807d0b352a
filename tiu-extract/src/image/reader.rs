//! The trait of all images.

use super::error::ImageError;
use std::io::Read;
use tiu_bundle::read_at::{FetchCost, Reads};
use tiu_system::path::{TreePath, TreePathBuf};

/// An image, as a source of content. Metadata always comes from the index.
pub trait Image: Send + Sync {
    /// Returns the content of the regular file at `path` (relative, no leading slash, as in the
    /// index). The image verifies what is read, in the way it was opened; the engine compares the
    /// content digest in any case.
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError>;
    /// Returns the position of the content. Reading files in the order of their positions
    /// decompresses each block once. Any order is correct.
    fn position(&self, path: &TreePath) -> u64;
    /// Returns true if reading a file can cost a request to another machine.
    fn is_remote(&self) -> bool {
        false
    }
    /// Says which files will be read soon, in the order of the reads, so that a remote image can
    /// fetch them together. Any file can be read without it. A path that the image lacks is left
    /// out here, and an error when it is opened.
    fn announce(&self, _paths: &[TreePathBuf], _reads: Reads) {}
    /// Returns what announcing `paths` would fetch, or `None` if the image is local.
    fn cost(&self, _paths: &[TreePathBuf]) -> Option<FetchCost> {
        None
    }
}
