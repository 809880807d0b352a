//! A bundle file: trailer, signature, manifest and layout checked in this order, each before it is used.

use crate::hash_tree::VerifiedImage;
use crate::hint::Hint;
use crate::manifest::{Manifest, ManifestError};
use crate::read_at::ReadAt;
use crate::signature::{SignatureError, Signer};
use crate::trust::Trust;
use std::io;
use std::sync::Arc;

/// Where the parts of a bundle lie, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Size of the squashfs image; the hash tree starts here.
    pub image_size: u64,
    /// Size of the hash tree; the CMS starts at `image_size + tree_size`.
    pub tree_size: u64,
    /// Size of the CMS.
    pub cms_size: u64,
}

/// A bundle with a verified signature and a checked layout. The image's blocks are checked when they are read.
pub struct Bundle {
    /// What the image is.
    pub manifest: Manifest,
    /// Who signed it.
    pub signer: Signer,
    /// Where its parts lie.
    pub layout: Layout,
    /// The signed manifest as it is in the file (DER), for `bundle.cms` in the snapshot.
    pub cms: Vec<u8>,
    /// The one opened source.
    pub source: Arc<dyn ReadAt>,
}

/// Why a bundle was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The trailer or the sizes are wrong.
    #[error("{0}")]
    Layout(String),
    /// See [`SignatureError`].
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// See [`ManifestError`].
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Reading failed.
    #[error("reading the bundle failed: {0}")]
    Io(#[from] io::Error),
}

impl Hint for BundleError {
    fn hint(&self) -> Option<String> {
        None
    }
}

impl Bundle {
    /// Reads and checks trailer, signature, manifest and layout. No image block is read yet.
    pub fn open(_source: Arc<dyn ReadAt>, _trust: &Trust) -> Result<Self, BundleError> {
        todo!()
    }
    /// The image; each block is checked when it is read.
    pub fn image(&self) -> VerifiedImage {
        todo!()
    }
}

/// The CMS of a bundle, from its trailer, with only the sizes checked.
pub fn read_cms(_source: &dyn ReadAt) -> Result<Vec<u8>, BundleError> {
    todo!()
}
