//! A bundle file: trailer, signature, manifest and layout checked in this order, each before it is
//! used.

use super::layout::{self, Layout, LayoutError, TRAILER_SIZE};
use crate::hash_tree::{VerifiedImage, VerityError};
use crate::manifest::{Manifest, ManifestError};
use crate::read_at::{ReadAt, SourceFailure};
use crate::signature::{self, SignatureError, Signed, Signer};
use crate::trust::Trust;
use std::io::{self, Write};
use std::sync::Arc;
use tiu_system::hints;

/// First bytes of a squashfs.
const SQUASHFS_MAGIC: [u8; 4] = *b"hsqs";
/// The offset of the size in the superblock of a squashfs, as 64 bit little endian.
const SQUASHFS_SIZE_AT: usize = 40;

/// A bundle with a verified signature and a checked layout. The image's blocks are checked when
/// they are read.
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// The signer.
    pub signer: Signer,
    /// The layout of the file.
    pub layout: Layout,
    /// The signed manifest as it is in the file (DER), for `bundle.cms` in the snapshot.
    pub cms: Vec<u8>,
    /// The one opened source.
    pub source: Arc<dyn ReadAt>,
}

/// A bundle that is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum BundleError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The image is something else.
    #[error(
        "the image is not a squashfs: it starts with {found:02x?}, expected {SQUASHFS_MAGIC:02x?} (`hsqs`)"
    )]
    NotSquashfs {
        /// Its first bytes.
        found: [u8; 4],
    },
    /// The squashfs does not fill the image, or is longer.
    #[error(
        "the squashfs says that it is {found} bytes long, which does not fit an image of {image_size} bytes: blocks were lost or added"
    )]
    SquashfsSize {
        /// From its superblock.
        found: u64,
        /// Size of the image in bytes.
        image_size: u64,
    },
    /// The first block of the image is not what was signed.
    #[error(transparent)]
    Verity(#[from] VerityError),
    /// The file became longer or shorter.
    #[error("the bundle changed while it was read: it had {was} bytes and now has {is}")]
    Changed {
        /// Size in bytes when it was opened.
        was: u64,
        /// Size in bytes now.
        is: u64,
    },
    /// Reading failed.
    #[error("reading the bundle failed: {0}")]
    Io(#[from] io::Error),
}

hints! { BundleError {
    forward Layout, Signature, Manifest, Verity;
    NotSquashfs { .. } | SquashfsSize { .. } =>
        "the file was changed after it was signed, or is a bundle for something else: fetch it again",
    Changed { .. } => "wait until the download or copy is complete, then try again",
    Io(e) if SourceFailure::of(e).is_some() => SourceFailure::of(e).and_then(|failure| failure.hint()),
    Io(e) if e.kind() == io::ErrorKind::UnexpectedEof =>
        "the file became shorter while it was read: wait until the download or copy is complete, then try \
         again",
    Io(_) => "check the disk or network that the bundle is read from",
} }

impl Bundle {
    /// Reads and checks trailer, signature, manifest, layout, and the first block of the image.
    pub fn open(source: Arc<dyn ReadAt>, trust: &Trust) -> Result<Self, BundleError> {
        Self::open_reporting(source, trust, &mut |_| {})
    }

    /// Like [`open`](Self::open), and calls `signed_by` as soon as the signature was verified: also
    /// if what was signed is refused afterwards.
    pub fn open_reporting(
        source: Arc<dyn ReadAt>,
        trust: &Trust,
        signed_by: &mut dyn FnMut(&Signer),
    ) -> Result<Self, BundleError> {
        let cms = read_cms(&*source)?;
        let signed = signature::verify(&cms, trust)?;
        signed_by(&signed.signer);
        Self::from_signed(source, cms, signed)
    }

    /// Like [`open`](Self::open), but the signer does not have to be trusted. The signature must
    /// match. To show what a bundle says about itself, never to use it.
    pub fn open_untrusted(source: Arc<dyn ReadAt>) -> Result<Self, BundleError> {
        let cms = read_cms(&*source)?;
        let signed = signature::verify_untrusted(&cms)?;
        Self::from_signed(source, cms, signed)
    }

    fn from_signed(source: Arc<dyn ReadAt>, cms: Vec<u8>, signed: Signed) -> Result<Self, BundleError> {
        let manifest = Manifest::parse(&signed.content)?;
        let layout = Layout::new(source.size(), cms.len() as u64, manifest.verity_size)?;
        let bundle = Bundle { manifest, signer: signed.signer, layout, cms, source };
        // Where each read is a request, the first block waits until something else is read too.
        if !bundle.source.is_remote() {
            bundle.check_superblock()?;
        }
        bundle.check_unchanged()?;
        Ok(bundle)
    }

    /// Returns the image. Each block is checked when it is read.
    pub fn image(&self) -> VerifiedImage {
        let Manifest { verity_salt, verity_hash, .. } = self.manifest;
        VerifiedImage::new(self.source.clone(), self.layout.image_size, verity_salt, verity_hash)
    }

    /// Checks that the file still has the size that it had when it was opened. What is read from
    /// the image is verified anyway; this distinguishes a file that is still being written from a
    /// damaged one.
    pub fn check_unchanged(&self) -> Result<(), BundleError> {
        match (self.source.size(), self.source.current_size()?) {
            (was, is) if was != is => Err(BundleError::Changed { was, is }),
            _ => Ok(()),
        }
    }

    /// Checks the first block of the image and the size that it says. Opening does that already,
    /// except where [`ReadAt::is_remote`]: there it is done before anything else is read.
    pub fn check_superblock(&self) -> Result<(), BundleError> {
        let mut block = [0; crate::BLOCK_SIZE];
        self.source.read_exact_at(&mut block, 0)?;
        // Reported before the hash is compared, because it says more.
        let found = block.first_chunk().copied().unwrap_or_default();
        if found != SQUASHFS_MAGIC {
            return Err(BundleError::NotSquashfs { found });
        }
        self.image().read_exact_at(&mut block, 0).map_err(verity_error)?;
        let size =
            block.get(SQUASHFS_SIZE_AT..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        let (found, image_size) = (u64::from_le_bytes(size), self.layout.image_size);
        let block = crate::BLOCK_SIZE as u64;
        match found.checked_next_multiple_of(block).map(|size| size.max(2 * block)) {
            Some(padded) if padded == image_size => Ok(()),
            _ => Err(BundleError::SquashfsSize { found, image_size }),
        }
    }
}

/// Returns the [`VerityError`] of what [`VerifiedImage`] fails with.
fn verity_error(error: io::Error) -> BundleError {
    match error.downcast::<VerityError>() {
        Ok(error) => BundleError::Verity(error),
        Err(error) => BundleError::Io(error),
    }
}

/// Returns the CMS of a bundle, from its trailer, with only the sizes checked.
pub fn read_cms(source: &dyn ReadAt) -> Result<Vec<u8>, BundleError> {
    let cms_size = read_cms_size(source)?;
    let mut cms = vec![0; cms_size as usize];
    source.read_exact_at(&mut cms, source.size() - TRAILER_SIZE - cms_size)?;
    Ok(cms)
}

/// Returns where the CMS of a bundle starts, from its trailer, with only the sizes checked. A
/// bundle is signed again by cutting the file here and [`append`]ing another CMS.
pub fn cms_offset(source: &dyn ReadAt) -> Result<u64, BundleError> {
    Ok(source.size() - TRAILER_SIZE - read_cms_size(source)?)
}

/// At most 64 KiB, and less than the size of the source without its trailer.
fn read_cms_size(source: &dyn ReadAt) -> Result<u64, BundleError> {
    let size = source.size();
    layout::file_size(size)?;
    let mut trailer = [0; TRAILER_SIZE as usize];
    source.read_exact_at(&mut trailer, size - TRAILER_SIZE)?;
    Ok(layout::cms_size(size, trailer)?)
}

/// Writes what follows image and hash tree: the CMS and its length.
pub fn append(mut out: impl Write, cms: &[u8]) -> Result<(), BundleError> {
    layout::cms_size(u64::MAX, (cms.len() as u64).to_be_bytes())?;
    out.write_all(cms)?;
    out.write_all(&(cms.len() as u64).to_be_bytes())?;
    Ok(())
}
