//! A directory tree as a walk found it, in little memory: one record for each name, all names in
//! one buffer.

use super::unreadable::{Part, Unreadable};
use super::xattr::XattrSet;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Kind, Mtime};
use tiu_system::path::TreePathBuf;

/// The number of a node or an entry that does not exist.
pub(crate) const NONE: u32 = u32::MAX;

/// The party that may change a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The engine.
    Ours,
    /// The host, with everything below: a host path, a mount point or a nested subvolume. Not
    /// entered.
    Host,
    /// Nobody: a kept path. What lies below belongs to the engine.
    Kept,
    /// The engine changes the directory itself; its content is the client's state. Not entered.
    Opaque,
    /// The empty directory that a snapshot shows for a nested subvolume of its origin. Nothing can
    /// be made in it.
    Placeholder,
}

/// One name in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub parent: u32,
    pub name: Range<u32>,
    /// The target of a symlink, in the same buffer as the names.
    pub target: Range<u32>,
    /// The children of a directory, sorted by name, if the tree was walked without an index.
    pub children: Range<u32>,
    /// The number of the entry at the same path in the index.
    pub entry: u32,
    pub kind: Kind,
    pub ownership: Ownership,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub ino: u64,
    /// The size in bytes of a regular file; `st_rdev` of a device.
    pub value: u64,
    pub mtime: Mtime,
    /// True if a flag stops changes of the inode: immutable or append-only.
    pub locked: bool,
}

/// A tree as a walk found it. Node 0 is its root.
#[derive(Default)]
pub(crate) struct ScannedTree {
    pub nodes: Vec<Node>,
    bytes: Vec<u8>,
    xattrs: HashMap<u32, XattrSet>,
    /// Sorted by node.
    digests: Vec<(u32, Digest)>,
    /// By node, the parts that the filesystem cannot read; empty on a healthy disk.
    unreadable: BTreeMap<u32, Vec<Unreadable>>,
    /// The entries whose inode is as the index says, and that have no node.
    settled: Numbers,
    /// Paths of nested subvolumes that are part of the tree: no inode has names on both sides of
    /// their border.
    pub subvolumes: Vec<Vec<u8>>,
}

/// The children of one directory, before they become part of a tree.
#[derive(Default)]
pub(crate) struct Listing {
    pub nodes: Vec<Node>,
    pub bytes: Vec<u8>,
    pub xattrs: Vec<(u32, XattrSet)>,
    pub unreadable: Vec<(u32, Unreadable)>,
    /// Content digests that were computed during the walk.
    pub digests: Vec<(u32, Digest)>,
    /// Entries that need no node.
    pub settled: Vec<u32>,
}

impl Listing {
    /// Keeps `bytes` and returns their place.
    pub fn keep(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len() as u32
    }

    /// Returns the bytes at `range`.
    pub fn bytes(&self, range: &Range<u32>) -> &[u8] {
        self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

impl ScannedTree {
    /// Returns a tree without nodes, not even a root: of a seed that was not needed.
    pub fn empty() -> Self {
        ScannedTree::default()
    }

    /// Adds the children of `directory` and returns the number of the first one, or `None` if there
    /// are too many for 32 bits.
    pub fn add(&mut self, directory: Option<u32>, listing: Listing) -> Option<u32> {
        let first = u32::try_from(self.nodes.len()).ok()?;
        let end = u32::try_from(self.nodes.len().checked_add(listing.nodes.len())?).ok()?;
        let shift = u32::try_from(self.bytes.len()).ok()?;
        u32::try_from(self.bytes.len().checked_add(listing.bytes.len())?).ok()?;
        self.bytes.extend_from_slice(&listing.bytes);
        self.nodes.extend(listing.nodes.into_iter().map(|mut node| {
            node.name = node.name.start + shift..node.name.end + shift;
            node.target = node.target.start + shift..node.target.end + shift;
            node
        }));
        self.xattrs.extend(listing.xattrs.into_iter().map(|(i, xattrs)| (first + i, xattrs)));
        self.add_unreadable(listing.unreadable.into_iter().map(|(i, unreadable)| (first + i, unreadable)));
        self.digests.extend(listing.digests.into_iter().map(|(i, digest)| (first + i, digest)));
        listing.settled.into_iter().for_each(|entry| self.settled.insert(entry));
        if let Some(directory) = directory.and_then(|d| self.nodes.get_mut(d as usize)) {
            directory.children = first..end;
        }
        Some(first)
    }

    /// Returns true if the inode at the path of entry `i` is as the index says, and has no node.
    pub fn is_settled(&self, i: u32) -> bool {
        self.settled.contains(i)
    }

    /// Returns node `i`, which must come from this tree.
    pub fn node(&self, i: u32) -> &Node {
        &self.nodes[i as usize]
    }

    /// Returns the name of node `i`; empty for the root.
    pub fn name(&self, i: u32) -> &[u8] {
        self.bytes(&self.node(i).name)
    }

    /// Returns the target of the symlink `i`.
    pub fn target(&self, i: u32) -> &[u8] {
        self.bytes(&self.node(i).target)
    }

    fn bytes(&self, range: &Range<u32>) -> &[u8] {
        self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Returns the path of node `i`, relative to the root of the tree, which has the empty path.
    pub fn path(&self, i: u32) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = i;
        while at != 0 {
            names.push(self.name(at));
            at = self.node(at).parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Returns the path of node `i` as [`path`](Self::path) does, in the form of the index.
    pub fn tree_path(&self, i: u32) -> TreePathBuf {
        // The kernel returns names that are neither empty nor `.` nor `..`, and hold no slash and
        // no NUL.
        TreePathBuf::new(self.path(i)).unwrap_or_default()
    }

    /// Returns the extended attributes of node `i`, if it has any.
    pub fn xattrs(&self, i: u32) -> Option<&XattrSet> {
        self.xattrs.get(&i)
    }

    /// Adds extended attributes of nodes.
    pub fn add_xattrs(&mut self, xattrs: impl IntoIterator<Item = (u32, XattrSet)>) {
        self.xattrs.extend(xattrs.into_iter().filter(|(_, xattrs)| !xattrs.0.is_empty()));
    }

    /// Returns the content digest of node `i`, if it was computed.
    pub fn digest(&self, i: u32) -> Option<Digest> {
        let at = self.digests.binary_search_by_key(&i, |(node, _)| *node).ok()?;
        self.digests.get(at).map(|(_, digest)| *digest)
    }

    /// Sorts the digests of a walk.
    pub fn finish_walk(&mut self) {
        self.digests.sort_unstable_by_key(|(node, _)| *node);
    }

    /// Adds content digests of nodes that have none yet.
    pub fn add_digests(&mut self, digests: impl IntoIterator<Item = (u32, Digest)>) {
        self.digests.extend(digests);
        self.digests.sort_unstable_by_key(|(node, _)| *node);
    }

    /// Returns the parts of node `i` that could not be read, of those that were tried.
    pub fn unreadable(&self, i: u32) -> &[Unreadable] {
        self.unreadable.get(&i).map_or(&[], Vec::as_slice)
    }

    /// Returns true if `part` of node `i` could not be read.
    pub fn lacks(&self, i: u32, part: Part) -> bool {
        self.unreadable(i).iter().any(|unreadable| unreadable.part == part)
    }

    /// Adds parts of nodes that could not be read.
    pub fn add_unreadable(&mut self, parts: impl IntoIterator<Item = (u32, Unreadable)>) {
        for (node, unreadable) in parts {
            self.unreadable.entry(node).or_default().push(unreadable);
        }
    }

    /// Returns true if the content of node `i` was read, or could not be.
    pub fn was_read(&self, i: u32) -> bool {
        let lacks =
            [Part::Inode, Part::Extents, Part::FileContent].into_iter().any(|part| self.lacks(i, part));
        lacks || self.digest(i).is_some()
    }

    /// Returns all parts that could not be read, with their nodes, in the order of the nodes.
    pub fn all_unreadable(&self) -> impl Iterator<Item = (u32, Unreadable)> + '_ {
        self.unreadable.iter().flat_map(|(node, parts)| parts.iter().map(|part| (*node, *part)))
    }

    /// Returns all digests that were computed, with their nodes.
    pub fn digests(&self) -> impl Iterator<Item = (u32, Digest)> + '_ {
        self.digests.iter().copied()
    }

    /// Returns the numbers of the children of directory `i`.
    pub fn children(&self, i: u32) -> Range<u32> {
        self.node(i).children.clone()
    }
}

/// A set of small numbers: one bit for each.
#[derive(Default)]
pub(crate) struct Numbers(Vec<u64>);

impl Numbers {
    pub fn insert(&mut self, i: u32) {
        let at = i as usize / 64;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(at) {
            *bits |= 1 << (i % 64);
        }
    }

    pub fn contains(&self, i: u32) -> bool {
        self.0.get(i as usize / 64).is_some_and(|bits| bits & 1 << (i % 64) != 0)
    }
}
