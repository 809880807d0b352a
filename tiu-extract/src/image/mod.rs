//! The content of an image: two ways to open one, one trait.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use tiu_bundle::Hint;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::Index;

/// Gives content. Metadata always comes from the index.
pub trait Image: Send + Sync {
    /// Content of the regular file at `path` (relative, no leading slash, as in the index). What is read is verified by the way the
    /// image was opened; the engine compares the content digest all the same.
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError>;
    /// Where the content lies, to read files in an order that decompresses each block once. Any order is correct.
    fn position(&self, path: &[u8]) -> u64;
}

/// `--verity`: which way to open an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Verity {
    /// The kernel where it has device-mapper, in-process otherwise.
    #[default]
    Auto,
    /// Loop device, dm-verity and a detached squashfs mount.
    Kernel,
    /// In-process.
    User,
}

/// Why an image could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Placeholder until images are read.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// File in the image.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl Hint for ImageError {
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Opens the image of `bundle`.
pub fn open(_bundle: Arc<Bundle>, _verity: Verity) -> Result<Box<dyn Image>, ImageError> {
    todo!()
}

/// Reads and checks the index of an opened image against the manifest.
pub fn read_index(_bundle: &Bundle, _image: &dyn Image) -> Result<Index, ImageError> {
    todo!()
}
