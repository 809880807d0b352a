//! What all parts of tiu need of Linux. Nothing here knows what an image or a snapshot is.
//!
//! | module | holds |
//! |---|---|
//! | [`program`] | the one runner for external programs |
//! | [`tree`] | single files of a system's tree, read and written without trusting the tree |
//! | [`ioctl`] | the ioctls that no crate offers safely: the only `unsafe` code |
//! | [`fstab`], [`os_release`] | parsers of system files |
//! | [`text`] | text from outside, made fit for a terminal |
//! | [`path`] | paths inside a tree |
//! | [`glob`] | patterns that name paths of a tree |
//! | [`named`] | values that configuration files and command lines spell alike |
//! | [`progress`] | progress and cancellation of long work |
//! | [`hint`] | what a person can do about an error |

pub mod beneath;
pub mod fstab;
pub mod glob;
pub mod hint;
pub mod ioctl;
pub mod named;
pub mod os_release;
pub mod path;
pub mod program;
pub mod progress;
pub mod text;
pub mod tree;

pub use hint::Hint;
