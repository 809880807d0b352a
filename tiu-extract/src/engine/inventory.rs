//! Describes an existing tree in the terms of an index, for three-way merges and comparisons.

use super::carry;
use super::error::EngineError;
use super::hash::{Caching, HashRequest, Reading};
use super::rules::{Lookup, Rules};
use super::settle::Settle;
use super::tree::Ownership;
use super::unreadable::Part;
use super::walk::{ReadAttributes, Walk};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::{EntryBuf, Kind};
use tiu_system::progress::{Unit, Watch};

/// One name in an inventory.
#[derive(Clone, Debug)]
pub struct InventoryEntry {
    /// The inode as an index would describe it, except that a hard link is described as the inode
    /// itself.
    pub entry: EntryBuf,
    /// True for a mount point, a nested subvolume and one of [`Rules::host_paths`], which are not
    /// entered.
    pub host: bool,
    /// The error of reading a part of it, which is missing in `entry`.
    pub unreadable: Option<Errno>,
}

/// Reads everything in `root`, including content. Returns it sorted by path; the first is the root
/// itself. An inode that cannot be read has the kind that its directory says.
pub fn inventory(root: BorrowedFd, rules: &Rules, watch: Watch) -> Result<Vec<InventoryEntry>, EngineError> {
    let rules = &Lookup::new(rules);
    let (attributes, settle) = (ReadAttributes::Now, Settle::Never);
    let walk = Walk { root, index: None, everything: true, rules, attributes, settle, scope: None, watch };
    let mut tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let mine = |ownership: Ownership| !matches!(ownership, Ownership::Host | Ownership::Placeholder);
    let files = (0u32..)
        .zip(&tree.nodes)
        .filter(|(i, node)| node.kind == Kind::File && mine(node.ownership) && !tree.lacks(*i, Part::Inode))
        .map(|(node, _)| HashRequest { node, attributes: false })
        .collect();
    Reading { root, caching: Caching::PageCache, rules, watch }.run("Reading", &mut tree, files)?;
    let entry = |(i, node): (u32, &super::tree::Node)| InventoryEntry {
        entry: carry::entry(&tree, i, &tree.tree_path(i)),
        host: !mine(node.ownership),
        unreadable: tree.unreadable(i).first().map(|unreadable| unreadable.error),
    };
    let mut found: Vec<InventoryEntry> = (0u32..).zip(&tree.nodes).map(entry).collect();
    found.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    Ok(found)
}
