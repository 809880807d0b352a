//! The bundle format: layout, manifest, signature, hash tree, index, and the image's policy.
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
//! Each module is one topic; the files below a module are private.
//!
//! | module | holds |
//! |---|---|
//! | [`bundle`] | a bundle file: opened, checked, its layout |
//! | [`manifest`] | the manifest |
//! | [`signature`], [`trust`] | the CMS around the manifest; the certificates that are trusted |
//! | [`hash_tree`], [`content_digest`] | the digests of the image and of a file |
//! | [`index`] | every inode of the image |
//! | [`policy`] | the policy of an image: persistent directories, lists about `/etc` |
//! | [`host_files`] | the files that belong to one host |
//! | [`selinux`] | the policy of an image, and the entries that need a label |
//! | [`places`] | the owner of each directory of a host, and the paths of an image's own files |
//! | [`read_at`] | the source of bytes that a bundle is read from |
//!
//! Everything here works on bytes and readers, without root, mounts or `unsafe`.
//!
//! # Examples
//!
//! Opens a bundle that was signed with a trusted certificate:
//!
//! ```no_run
//! use tiu_bundle::bundle::open_bundle;
//! use tiu_bundle::trust::Trust;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let trust = Trust::from_paths(&["/etc/tiu/keyring.pem"])?;
//! let bundle = open_bundle("system-1.tiu".as_ref(), &trust)?;
//! println!("version {}, signed by {}", bundle.manifest.version, bundle.signer.subject);
//! # Ok(())
//! # }
//! ```
//!
//! Reads an index:
//!
//! ```
//! use tiu_bundle::index::{Index, Kind};
//! use tiu_system::path::TreePath;
//!
//! let text = "/ 0 40755 1 0 0 0 0.0 - - -\n/etc 0 40755 1 0 0 0 0.0 - - -\n";
//! let index = Index::parse(text.into())?;
//! let etc = index.find(TreePath::new("etc")?).expect("the directory");
//! assert_eq!(index.entry(etc).kind, Kind::Dir);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod bundle;
pub mod content_digest;
mod der;
pub mod hash_tree;
pub mod host_files;
pub mod index;
pub mod manifest;
mod names;
pub mod places;
pub mod policy;
pub mod read_at;
pub mod selinux;
mod sha256;
pub mod signature;
pub mod trust;

pub use names::rfc3339;

/// Block size of images, hash trees and content digests, in bytes.
pub const BLOCK_SIZE: usize = 4096;
