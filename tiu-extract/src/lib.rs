//! Reads the images of tiu bundles, and brings directories to their trees.
//!
//! `tiu-bundle` opens and verifies a bundle; this crate reads what is in it.
//!
//! - [`open_image`] opens the image: through the kernel (loop device, dm-verity, squashfs), or in
//!   this process. Both ways implement [`Image`], which returns the content of regular files.
//!   [`read_index`] reads the index, which describes every inode. [`mount_at`] mounts the image
//!   instead.
//! - [`verify_contents`] compares every file of an image with the index. [`select`] returns a part
//!   of an index.
//! - [`plan`], [`execute`] and [`check`] bring a directory to exactly the tree that an index
//!   describes. What is right stays, equal content is shared (reflinked), the rest is written and
//!   read back. [`Rules`] say what belongs to the host. [`inventory`] describes an existing tree in
//!   the terms of an index.
//!
//! # Examples
//!
//! Lists the regular files of a bundle with their sizes:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let trust = todo!();
//! use std::sync::Arc;
//! use tiu_bundle::bundle::open_bundle;
//! use tiu_bundle::index::Kind;
//! use tiu_extract::{Verity, open_image, read_index};
//!
//! let bundle = Arc::new(open_bundle("system-1.tiu".as_ref(), &trust)?);
//! let image = open_image(bundle.clone(), Verity::User)?;
//! for entry in read_index(&bundle, &*image)?.iter().filter(|entry| entry.kind == Kind::File) {
//!     println!("{:>10} {}", entry.size, entry.path.absolute());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Brings a directory to a tree. The index and the image can come from anywhere; here they are made
//! by hand:
//!
//! ```
//! use std::borrow::Cow;
//! use std::io::Read;
//! use std::os::fd::AsFd;
//! use tiu_bundle::content_digest::digest_bytes;
//! use tiu_bundle::index::{Entry, Index, IndexWriter, Kind, Mtime};
//! use tiu_extract::{Image, ImageError, Job, ReadBack, Rules, check, execute, plan};
//! use tiu_system::path::TreePath;
//! use tiu_system::progress::Watch;
//!
//! /// An image whose files all have the same content.
//! struct Hello;
//!
//! impl Image for Hello {
//!     fn open(&self, _: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
//!         Ok(Box::new(&b"hello\n"[..]))
//!     }
//!     fn position(&self, _: &TreePath) -> u64 {
//!         0
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = Entry {
//!     path: Cow::Borrowed(TreePath::ROOT),
//!     kind: Kind::Dir,
//!     mode: 0o755,
//!     nlink: 1,
//!     uid: 0,
//!     gid: 0,
//!     rdev: 0,
//!     mtime: Mtime { sec: 1_600_000_000, nsec: 0 },
//!     size: 0,
//!     target: None,
//!     link: None,
//!     digest: None,
//!     xattrs: Vec::new(),
//! };
//! let file = Entry {
//!     path: Cow::Borrowed(TreePath::literal("greeting")),
//!     kind: Kind::File,
//!     mode: 0o644,
//!     size: 6,
//!     digest: Some(digest_bytes(b"hello\n")),
//!     ..directory.clone()
//! };
//! let mut writer = IndexWriter::default();
//! writer.push(directory);
//! writer.push(file);
//! let index = Index::parse(writer.finish())?;
//!
//! let target = tempfile::tempdir()?;
//! let opened = std::fs::File::open(target.path())?;
//! // Without owners, so that root is not needed.
//! let rules = Rules { owner: false, ..Rules::default() };
//! let job = Job {
//!     index: &index,
//!     image: &Hello,
//!     target: opened.as_fd(),
//!     seeds: &[],
//!     rules: &rules,
//!     watch: Watch::silent(),
//! };
//! let plan = plan(&job)?;
//! execute(&job, &plan)?;
//! assert_eq!(std::fs::read_to_string(target.path().join("greeting"))?, "hello\n");
//! assert_eq!(check(&index, opened.as_fd(), &rules, ReadBack::All, Watch::silent())?, []);
//! # Ok(())
//! # }
//! ```

mod contents;
mod engine;
mod image;

pub use contents::{ContentsError, select, verify_contents};
pub use engine::{
    ClearedFlags, Difference, EngineError, InventoryEntry, Job, LostPath, Plan, Proof, ReadBack, Reflink,
    Rules, Shown, Summary, Unproved, UnreadablePath, acl_owners, carry_over, check, check_changes,
    check_metadata, execute, inventory, is_label, is_temporary, map_acl_owners, plan, plan_changes,
    restore_flags,
};
pub use image::{Image, ImageError, Squashfs, Verity, is_mounted_at, mount_at, open_image, read_index};
