//! The errors of opening and reading an image.

use std::io;
use std::path::PathBuf;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::{INDEX_PATH, IndexError};
use tiu_system::hints;
use tiu_system::path::TreePath;
use tiu_system::text::printable_path;

/// An image could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Of the fields, those have documentation whose names do not say all.
pub enum ImageError {
    /// A block differs from what was signed, or could not be read.
    #[error(transparent)]
    Verity(#[from] VerityError),
    /// The squashfs is malformed, although its blocks are what was signed.
    #[error("the squashfs of the image is malformed: {message}")]
    Squashfs {
        /// The found and the expected value.
        message: String,
    },
    /// The image uses a compressor that this program lacks.
    #[error("the image is compressed with {found}, expected zstd, xz, gzip, lz4 or none")]
    Compressor { found: String },
    /// The image lacks a file.
    #[error("the image has no regular file {}", printable_path(path))]
    NotFound { path: PathBuf },
    /// The image lacks its index.
    #[error("the image has no index: expected the file {INDEX_PATH}")]
    NoIndex,
    /// The index is malformed, or not the one that the manifest names.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Reading a file of the mounted image failed.
    #[error("reading {} from the image failed: {source}", printable_path(path))]
    Read {
        path: PathBuf,
        /// `EIO` if dm-verity found a damaged block.
        source: io::Error,
    },
    /// The kernel lacks device-mapper or dm-verity, or this process may not use it.
    #[error("the kernel way to open an image is not available: {reason}")]
    NoKernelWay { reason: String },
    /// The mount could not be attached.
    #[error("mounting at {}: {source}", directory.display())]
    Attach { directory: PathBuf, source: io::Error },
    /// A step of the kernel way failed.
    #[error("{step} failed: {source}")]
    Kernel {
        /// The operation that failed.
        step: &'static str,
        source: io::Error,
    },
}

hints! { ImageError {
    forward Verity, Index;
    Squashfs { .. } | NotFound { .. } | NoIndex => {
        "the bundle was signed in this state: ask its maker to pack it again with tiu-create"
    },
    Compressor { .. } => {
        "pack the image with one of these compressors, or use --verity kernel where the kernel can read this one"
    },
    Read { source, .. } if source.get_ref().is_some_and(|cause| cause.is::<VerityError>()) => {
        source.get_ref().and_then(|cause| cause.downcast_ref::<VerityError>()).and_then(|cause| cause.hint())
    },
    Read { .. } => "the bundle may be damaged or its medium gone; run `tiu-extract verify` on it",
    NoKernelWay { .. } => {
        "use --verity user (or auto), or load the modules loop, dm-mod and dm-verity as root"
    },
    Attach { .. } => "check that the directory exists and can be used",
    Kernel { .. } => "see the kernel's messages (dmesg); --verity user works without the kernel's help",
} }

impl ImageError {
    /// Returns the error of reading the content of `path`. A damaged block, or a read that was
    /// cancelled, stays what it is.
    pub fn of_content(path: &TreePath, source: io::Error) -> Self {
        match source.downcast::<VerityError>() {
            Ok(error) => error.into(),
            Err(source) => ImageError::Read { path: path.as_path().to_owned(), source },
        }
    }
}
