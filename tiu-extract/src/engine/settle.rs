//! Names that already are as the index says.
//!
//! That is true for most names of a target. The walk compares them, and keeps no node for them:
//! the memory then grows with the differences, and with the number of directories.

use super::hash::Caching;
use super::tree::{Node, Ownership};
use tiu_bundle::index::{Entry, Kind};

/// The comparison after which a name needs no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// None: every name gets a node.
    Never,
    /// That of metadata.
    ByMetadata,
    /// That of metadata and of content, which is read now. Large files are read later, big ones
    /// first, and have a node.
    ByContent(Caching),
}

/// The size in bytes from which the content of a file is not read during the walk.
pub(crate) const LARGE: u64 = 1 << 20;

/// Returns true if `node`, of which attributes and content are not known, can be the inode that
/// `entry` describes. An inode of several names never settles: what becomes of it depends on all of
/// them.
pub(crate) fn is_candidate(node: &Node, target: &[u8], entry: &Entry) -> bool {
    node.ownership == Ownership::Ours
        && node.kind == entry.kind
        && node.kind != Kind::Dir
        && (node.nlink, entry.nlink) == (1, 1)
        && match node.kind {
            Kind::File => node.value == entry.size,
            Kind::Symlink => entry.target.as_deref() == Some(target),
            Kind::CharDev | Kind::BlockDev => node.value == entry.rdev,
            _ => true,
        }
}
