//! The parts of a tree that are proved to be right without reading them.
//!
//! A tree that was compared with an index, and whose filesystem records what changed since, is that
//! index except for what changed. [`narrow`](narrow()) finds the paths of which nothing is proved,
//! and those at which the new index differs from the old one. The engine looks at these alone, with
//! the part of the new index that is about them.
//!
//! The proof rests on btrfs: each inode, name and attribute carries the number of the transaction
//! that wrote it ([`tiu_system::btrfs`]). A path is proved if no name on it is newer than the seal
//! and its inode is not. If in doubt, nothing is proved, and the caller reads everything.

mod narrow;
mod scan;
mod unproved;

pub(crate) use narrow::{changes_of_subvolume, narrow};
pub(crate) use scan::scan_changes;
pub use unproved::{Proof, Unproved};
