//! Describes an existing tree in the terms of an index, for three-way merges and comparisons.

use super::error::EngineError;
use super::hash::{Caching, HashRequest, Reading};
use super::rules::{Lookup, Rules};
use super::tree::Ownership;
use super::walk::{ReadAttributes, Walk};
use rustix::io::Errno;
use std::borrow::Cow;
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
    /// The error of reading a regular file's content; it has no digest then.
    pub unreadable: Option<Errno>,
}

/// Reads everything in `root`, including content. Returns it sorted by path; the first is the root
/// itself.
pub fn inventory(root: BorrowedFd, rules: &Rules, watch: Watch) -> Result<Vec<InventoryEntry>, EngineError> {
    let rules = &Lookup::new(rules);
    let walk = Walk { root, index: None, everything: true, rules, attributes: ReadAttributes::Now, watch };
    let mut tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let mine = |ownership: Ownership| !matches!(ownership, Ownership::Host | Ownership::Placeholder);
    let files = (0u32..)
        .zip(&tree.nodes)
        .filter(|(_, node)| node.kind == Kind::File && mine(node.ownership))
        .map(|(node, _)| HashRequest { node, attributes: false })
        .collect();
    Reading { root, caching: Caching::PageCache, rules, watch }.run("Reading", &mut tree, files)?;
    let entry = |(i, node): (u32, &super::tree::Node)| {
        let xattrs = tree.xattrs(i).map_or(&[][..], |xattrs| &xattrs.0);
        let own = |bytes: &[u8]| -> Cow<'static, [u8]> { Cow::Owned(bytes.to_vec()) };
        let target = (node.kind == Kind::Symlink).then(|| own(tree.target(i)));
        InventoryEntry {
            entry: EntryBuf {
                path: Cow::Owned(tree.tree_path(i)),
                kind: node.kind,
                mode: node.mode,
                nlink: 1,
                uid: node.uid,
                gid: node.gid,
                rdev: if matches!(node.kind, Kind::CharDev | Kind::BlockDev) { node.value } else { 0 },
                mtime: node.mtime,
                size: match (node.kind, &target) {
                    (Kind::File, _) => node.value,
                    (_, target) => target.as_ref().map_or(0, |target| target.len() as u64),
                },
                target,
                link: None,
                digest: tree.digest(i),
                xattrs: xattrs.iter().map(|(name, value)| (own(name), own(value))).collect(),
            },
            host: !mine(node.ownership),
            unreadable: tree.unreadable(i),
        }
    };
    let mut found: Vec<InventoryEntry> = (0u32..).zip(&tree.nodes).map(entry).collect();
    found.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    Ok(found)
}
