//! The proof that a caller has, and the reason why it does not hold.

use std::collections::HashMap;
use std::fmt::Display;
use tiu_bundle::index::Index;
use tiu_system::path::TreePathBuf;

/// The knowledge that a caller has of a target: at some moment it was compared with an index.
///
/// The caller vouches for it: that the target is the subvolume that was compared, or a snapshot
/// that was made of it after the transaction.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// The index that the tree was compared with.
    pub index: &'a Index,
    /// The host's uid for each uid of that image, as it was then.
    pub uids: &'a HashMap<u32, u32>,
    /// The host's gid for each gid of that image, as it was then.
    pub gids: &'a HashMap<u32, u32>,
    /// Paths that were not compared, and files without checksums: nothing is proved of them and of
    /// what is below.
    pub unproved: &'a [TreePathBuf],
    /// A transaction that was committed before the comparison began. Whatever changed later has a
    /// higher number.
    pub transaction: u64,
}

/// The reason why nothing is proved. The whole tree has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproved(String);

impl Default for Unproved {
    fn default() -> Self {
        Unproved::new("there is no seal")
    }
}

impl Unproved {
    pub(in crate::engine) fn new(reason: impl Display) -> Self {
        Unproved(reason.to_string())
    }
}

impl Display for Unproved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
