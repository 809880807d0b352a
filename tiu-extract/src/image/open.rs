//! Chooses a way to open an image, and reads its index.

use super::error::ImageError;
use super::kernel::KernelImage;
use super::reader::Image;
use super::user::UserImage;
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::{INDEX_PATH, Index};
use tiu_bundle::read_at::Reads;
use tiu_system::named::Named;

/// The way to open an image, as `--verity` chooses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verity {
    /// The kernel where it has device-mapper, this process otherwise.
    #[default]
    Auto,
    /// Loop device, dm-verity and a detached squashfs mount.
    Kernel,
    /// This process reads the squashfs and checks each block.
    User,
}

impl Named for Verity {
    const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (Verity::Auto, "auto", "The kernel if it has device-mapper, otherwise in-process"),
        (Verity::Kernel, "kernel", "Loop device, dm-verity and a detached squashfs mount"),
        (Verity::User, "user", "In-process"),
    ];
}

/// Opens the image of `bundle`. [`Verity::Auto`] chooses the user way if the kernel has no
/// device-mapper or no dm-verity, or if this process may not use them.
pub fn open_image(bundle: Arc<Bundle>, verity: Verity) -> Result<Box<dyn Image>, ImageError> {
    match verity {
        Verity::User => Ok(Box::new(UserImage::open(&bundle)?)),
        Verity::Kernel => Ok(Box::new(KernelImage::open(&bundle)?)),
        Verity::Auto => match KernelImage::open(&bundle) {
            Err(ImageError::NoKernelWay { .. }) => Ok(Box::new(UserImage::open(&bundle)?)),
            image => Ok(Box::new(image?)),
        },
    }
}

/// Reads and checks the index of an opened image against the manifest.
pub fn read_index(bundle: &Bundle, image: &dyn Image) -> Result<Index, ImageError> {
    // It is read again when a snapshot gets its copy.
    image.announce(&[INDEX_PATH.to_owned()], Reads::Often);
    let reader = match image.open(INDEX_PATH) {
        Err(ImageError::NotFound { .. }) => return Err(ImageError::NoIndex),
        other => other?,
    };
    let (meta, verity_size) = (&bundle.manifest.tiu, bundle.manifest.verity_size);
    Ok(Index::read_zst(reader, &meta.index_digest, meta.files, verity_size)?)
}
