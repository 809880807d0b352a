//! Why an image could not be opened or read.

use std::io;
use std::path::PathBuf;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::{INDEX_PATH, IndexError};
use tiu_system::Hint;

/// Why an image could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A block is not what was signed, or could not be read.
    #[error(transparent)]
    Verity(#[from] VerityError),
    /// The squashfs is not a good one, although its blocks are what was signed.
    #[error("the squashfs of the image is malformed: {message}")]
    Squashfs {
        /// What was found and expected.
        message: String,
    },
    /// A compressor that this program was built without.
    #[error("the image is compressed with {found}, expected zstd, xz, gzip, lz4 or none")]
    Compressor {
        /// Name.
        found: String,
    },
    /// The image lacks a file.
    #[error("the image has no regular file {}", path.display())]
    NotFound {
        /// Path in the image.
        path: PathBuf,
    },
    /// The image lacks its index.
    #[error("the image has no index: expected the file {INDEX_PATH}")]
    NoIndex,
    /// See [`IndexError`].
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Reading a file of the mounted image failed.
    #[error("reading {} from the image failed: {source}", path.display())]
    Read {
        /// Path in the image.
        path: PathBuf,
        /// Cause; `EIO` where dm-verity found a damaged block.
        source: io::Error,
    },
    /// The kernel lacks device-mapper or dm-verity, or this process may not use it.
    #[error("the kernel way to open an image is not available: {reason}")]
    NoKernelWay {
        /// What is missing.
        reason: String,
    },
    /// The mount could not be attached.
    #[error("mounting at {}: {source}", directory.display())]
    Attach {
        /// Where.
        directory: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A step of the kernel way failed.
    #[error("{step} failed: {source}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// Cause.
        source: io::Error,
    },
}

impl Hint for ImageError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ImageError::Verity(e) => return e.hint(),
            ImageError::Index(e) => return e.hint(),
            ImageError::Squashfs { .. } | ImageError::NotFound { .. } | ImageError::NoIndex => {
                "the bundle was signed in this state: ask its maker to pack it again with tiu-create".into()
            }
            ImageError::Compressor { .. } => {
                "pack the image with one of these compressors, or use --verity kernel where the kernel can read this one".into()
            }
            ImageError::Read { .. } => {
                "the bundle may be damaged or its medium gone; run `tiu-extract verify` on it".into()
            }
            ImageError::NoKernelWay { .. } => {
                "use --verity user (or auto), or load the modules loop, dm-mod and dm-verity as root".into()
            }
            ImageError::Attach { .. } => "see whether the directory is there and may be used".into(),
            ImageError::Kernel { .. } => {
                "look at the kernel's messages (dmesg); --verity user works without the kernel's help".into()
            }
        })
    }
}
