//! The content of an image: two ways to open one, one trait.
//!
//! Metadata never comes from here: the index has it. What is read was checked against the hash tree, by the kernel or by us.

mod error;
mod kernel;
pub mod squashfs;
mod user;

pub use error::ImageError;
pub use kernel::{is_mounted_at, mount_at};

use std::io::Read;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::{INDEX_PATH, Index};
use tiu_system::named::Named;

/// Gives content. Metadata always comes from the index.
pub trait Image: Send + Sync {
    /// Content of the regular file at `path` (relative, no leading slash, as in the index). What is read is verified by the way the
    /// image was opened; the engine compares the content digest all the same.
    fn open(&self, path: &[u8]) -> Result<Box<dyn Read + Send + '_>, ImageError>;
    /// Where the content lies, to read files in an order that decompresses each block once. Any order is correct.
    fn position(&self, path: &[u8]) -> u64;
}

/// `--verity`: which way to open an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verity {
    /// The kernel where it has device-mapper, in-process otherwise.
    #[default]
    Auto,
    /// Loop device, dm-verity and a detached squashfs mount.
    Kernel,
    /// In-process.
    User,
}

impl Named for Verity {
    const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (Verity::Auto, "auto", "The kernel where it has device-mapper, in-process otherwise"),
        (Verity::Kernel, "kernel", "Loop device, dm-verity and a detached squashfs mount"),
        (Verity::User, "user", "In-process"),
    ];
}

/// Opens the image of `bundle`. `Auto` takes the user way where the kernel has no device-mapper or no dm-verity, or
/// this process may not use them.
pub fn open(bundle: Arc<Bundle>, verity: Verity) -> Result<Box<dyn Image>, ImageError> {
    match verity {
        Verity::User => Ok(Box::new(user::UserImage::open(&bundle)?)),
        Verity::Kernel => Ok(Box::new(kernel::KernelImage::open(&bundle)?)),
        Verity::Auto => match kernel::KernelImage::open(&bundle) {
            Err(ImageError::NoKernelWay { .. }) => Ok(Box::new(user::UserImage::open(&bundle)?)),
            image => Ok(Box::new(image?)),
        },
    }
}

/// Reads and checks the index of an opened image against the manifest.
pub fn read_index(bundle: &Bundle, image: &dyn Image) -> Result<Index, ImageError> {
    let reader = match image.open(INDEX_PATH.as_bytes()) {
        Err(ImageError::NotFound { .. }) => return Err(ImageError::NoIndex),
        other => other?,
    };
    let meta = &bundle.manifest.tiu;
    Ok(Index::read_zst(reader, &meta.index_digest, meta.files)?)
}
