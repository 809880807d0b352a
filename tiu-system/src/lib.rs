//! The parts of Linux that all crates need. Nothing here knows what an image or a snapshot is.
//!
//! Each module is one topic and has an example; the files below a module are private.
//!
//! | module | holds |
//! |---|---|
//! | [`beneath`] | opening files beneath a directory, with and without following symbolic links |
//! | [`tree`] | single files of a system's tree, read and written without trusting the tree |
//! | [`path`] | paths inside a tree that cannot be malformed |
//! | [`glob`] | patterns that name paths of a tree |
//! | [`program`] | the runner for external programs |
//! | [`btrfs`] | the trees of btrfs, and the changes in a subvolume since a transaction |
//! | [`ioctl`] | the ioctls that no crate offers safely: the only `unsafe` code |
//! | [`inode_flags`] | the immutable and the append-only flag |
//! | [`fstab`], [`mountinfo`], [`os_release`] | parsers of system files |
//! | [`versioned`] | documents that begin with the version of their format |
//! | [`named`] | values that have the same names in configuration files and on command lines |
//! | [`text`] | text from outside, made safe for a terminal |
//! | [`progress`] | progress and cancellation of long work |
//! | [`hint`], [`errno`] | hints for errors, and for errors of the operating system |
//!
//! An error of any module has a hint:
//!
//! ```
//! use tiu_system::Hint;
//! use tiu_system::tree::Tree;
//!
//! let error = Tree::open("/no/such/directory".as_ref()).unwrap_err();
//! assert_eq!(error.to_string(), "/no/such/directory: No such file or directory (os error 2)");
//! assert!(error.hint().is_some());
//! ```

pub mod beneath;
pub mod btrfs;
pub mod errno;
pub mod fstab;
pub mod glob;
pub mod hint;
pub mod inode_flags;
pub mod ioctl;
pub mod mountinfo;
pub mod named;
pub mod os_release;
pub mod path;
pub mod program;
pub mod progress;
pub mod text;
pub mod tree;
pub mod versioned;

pub use hint::Hint;
