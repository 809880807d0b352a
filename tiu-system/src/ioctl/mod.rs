//! The ioctls, and the one fcntl(2), that no crate offers safely. The only module with `unsafe`.
//!
//! rustix needs its caller to guarantee that the number of an ioctl matches the type of its
//! argument. That is the only meaning of `unsafe` here. Every public function is safe: it borrows
//! its descriptors, checks what the kernel returns, and cannot be called with a wrong argument.
//!
//! ```
//! use std::os::fd::AsFd;
//! use tiu_system::ioctl::clone_file;
//!
//! let status = std::fs::File::open("/proc/self/status")?;
//! assert!(clone_file(status.as_fd(), status.as_fd()).is_err(), "not open for writing");
//! # Ok::<(), std::io::Error>(())
//! ```
#![allow(unsafe_code)]

mod default_subvolume;
mod device_errors;
mod filesystem;
mod inherited;
mod loop_device;
mod reflink;
mod subvolume;
mod tree_search;

pub use default_subvolume::{default_subvolume, set_default_subvolume};
pub use device_errors::device_errors;
pub use filesystem::btrfs_uuid;
pub use inherited::close_inherited_on_exec;
pub use loop_device::{loop_clear, loop_configure, loop_get_free};
pub use reflink::{clone_file, clone_range};
pub use subvolume::{SubvolumeFacts, subvolume_facts};
pub use tree_search::{TreeKey, tree_search};
