//! The dm-verity hash tree: version 1, no superblock, 4096-byte data and hash blocks, `sha256(salt || block)`,
//! 32-byte salt, top level first. Source: Documentation/admin-guide/device-mapper/verity.rst.

use crate::content_digest::Digest;
use crate::progress::{Cancel, Progress};
use crate::read_at::ReadAt;
use std::io::{self, Write};
use std::sync::Arc;

/// Salt of a hash tree.
pub type Salt = [u8; 32];

/// Size in bytes of the hash tree for an image of `image_size` bytes (a multiple of 4096).
pub fn tree_size(_image_size: u64) -> u64 {
    todo!()
}

/// Computes the tree of the first `image_size` bytes of `source` in parallel, writes it to `out`, returns the root hash.
pub fn build(
    _source: &dyn ReadAt,
    _image_size: u64,
    _salt: &Salt,
    _out: &mut dyn Write,
    _progress: &dyn Progress,
) -> io::Result<Digest> {
    todo!()
}

/// A data or hash block is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum VerityError {
    /// Hash mismatch of a block. `level` 0 is the image itself, 1 the lowest hash level.
    #[error("block {block} of {} is damaged: its hash is {found}, the hash tree says {expected}", level_name(*.level))]
    Mismatch {
        /// 0: image, 1..: hash levels from the bottom.
        level: u32,
        /// Block number within the level.
        block: u64,
        /// Hash of what was read.
        found: Digest,
        /// Hash that the level above holds.
        expected: Digest,
    },
    /// Reading failed.
    #[error("reading the bundle failed at byte {offset}: {source}")]
    Io {
        /// Byte offset in the bundle.
        offset: u64,
        /// Cause.
        source: io::Error,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

fn level_name(level: u32) -> String {
    match level {
        0 => "the image".into(),
        n => format!("hash level {n}"),
    }
}

/// An image of which every block is checked against the hash tree when it is read.
///
/// Hash blocks are verified once and kept (32 bytes for each 4096 of the image at the lowest level are read on demand,
/// with a bounded cache). `read_exact_at` fails with an `io::Error` of kind `InvalidData` that wraps a [`VerityError`].
pub struct VerifiedImage {}

impl VerifiedImage {
    /// `source` holds the image at 0 and its tree at `image_size`.
    pub fn new(_source: Arc<dyn ReadAt>, _image_size: u64, _salt: Salt, _root: Digest) -> Self {
        todo!()
    }
    /// Checks every block of image and tree, in parallel, with constant memory.
    pub fn verify_all(&self, _progress: &dyn Progress, _cancel: &Cancel) -> Result<(), VerityError> {
        todo!()
    }
}

impl ReadAt for VerifiedImage {
    fn size(&self) -> u64 {
        todo!()
    }
    fn read_exact_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        todo!()
    }
}
