//! The bundle format: layout, manifest, signature, hash tree and index.
//!
//! A bundle is one file that RAUC calls a `verity` bundle:
//!
//! ```text
//! 0                 squashfs image, zero-padded to 4096 bytes
//! D                 dm-verity hash tree (no superblock, top level first)
//! D + verity-size   CMS SignedData (DER) with the manifest inside
//! end - 8           length of the CMS, 64 bit, big endian
//! ```
//!
//! Everything here works on bytes and readers: no root, no mounts, no `unsafe`.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod content_digest;
mod der;
pub mod hash_tree;
pub mod index;
pub mod manifest;
mod names;
pub mod places;
pub mod policy;
pub mod read_at;
mod sha256;
pub mod signature;
pub mod trust;

pub use names::rfc3339;

/// Block size of images, hash trees and content digests, in bytes.
pub const BLOCK_SIZE: usize = 4096;
