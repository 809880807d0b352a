//! The trees of btrfs, and the changes in a subvolume since a transaction, as btrfs recorded them.
//!
//! btrfs writes the number of the transaction into each inode that it changes, each name and each
//! extended attribute that it adds, and each extent. A snapshot keeps these numbers; moving blocks
//! (balance) keeps them too. They are in the subvolume's tree, which [`Subvolume`] searches.
//!
//! The numbers show changes that are in the tree. Changes that are only in memory are not, so the
//! caller syncs the filesystem first.
//!
//! ```
//! use std::os::fd::AsFd;
//! use tiu_system::btrfs::Subvolume;
//!
//! let proc = std::fs::File::open("/proc")?;
//! assert!(Subvolume::open(proc.as_fd())?.is_none(), "not on btrfs");
//! # Ok::<(), std::io::Error>(())
//! ```

mod changes;
mod items;
mod names;
mod search;
mod subvolume;

pub use crate::ioctl::TreeKey;
pub use changes::{Changes, NewName};
pub use items::Item;
pub use names::Names;
pub use search::visit;
pub use subvolume::Subvolume;
