//! The first half of planning: finds what is missing, what is wrong and what must be removed.

use super::steps::{Conflict, Link, MakeDir, Steps};
use crate::engine::join::{EntryPlace, Joined, kind_of, same_content};
use crate::engine::metadata::{self, MetadataWanted};
use crate::engine::rules::Lookup;
use crate::engine::tree::{NONE, Node, ScannedTree};
use std::collections::{BTreeSet, HashSet};
use tiu_bundle::index::{Entry, Index, Kind};

/// A regular file to make whose content has no source yet.
pub(super) struct PendingFile {
    pub entry: u32,
    /// The regular file at its path, if any.
    pub old: Option<u32>,
    /// True if a directory is at its path.
    pub late: bool,
}

/// The result of the first half.
pub(super) struct Comparison {
    pub steps: Steps,
    pub pending: Vec<PendingFile>,
    /// By entry: true if its path gets another inode.
    pub replaced: Vec<bool>,
    pub places: Vec<EntryPlace>,
}

impl Comparison {
    /// Returns the regular files that will be removed or replaced and were not read: damage of
    /// their metadata is not known yet. The digests of the nodes `proved` are known without that.
    pub fn unread_losses(&self, tree: &ScannedTree, proved: &HashSet<u32>) -> Vec<u32> {
        let replaced = self.replaced.iter().zip(&self.places).filter(|(replaced, _)| **replaced);
        let replaced = replaced.filter_map(|(_, place)| match place {
            EntryPlace::Here(node) | EntryPlace::Other(node) => Some(*node),
            _ => None,
        });
        let is_unread = |node: &u32| {
            tree.node(*node).kind == Kind::File
                && (tree.digest(*node).is_none() || proved.contains(node))
                && tree.unreadable(*node).is_empty()
        };
        replaced.chain(self.steps.remove.iter().copied()).filter(is_unread).collect()
    }
}

/// Compares tree and index. The digests of [`Joined::same_size`] must be known.
pub(super) fn compare(
    index: &Index,
    tree: &ScannedTree,
    joined: Joined,
    rules: &Lookup,
) -> Result<Comparison, Conflict> {
    let mut compare = Compare {
        index,
        tree,
        rules,
        joined: &joined,
        steps: Steps::default(),
        pending: Vec::new(),
        replaced: vec![false; index.len()],
        dirty: BTreeSet::new(),
        claimed: HashSet::new(),
    };
    for (i, entry) in (0u32..).zip(index.iter()) {
        match entry.kind {
            Kind::Dir => compare.directory(i, &entry),
            _ if joined.place(i) == EntryPlace::Outside => {}
            _ if joined.place(i) == EntryPlace::Settled => compare.steps.unchanged += 1,
            _ if joined.group(&i).first() == Some(&i) => compare.inode(i, &entry),
            // Handled with the first name of its inode.
            _ => {}
        }
    }
    compare.removals()?;
    let Compare { mut steps, pending, replaced, dirty, .. } = compare;
    steps.dir_meta = dirty.into_iter().collect();
    Ok(Comparison { steps, pending, replaced, places: joined.places })
}

struct Compare<'a> {
    index: &'a Index,
    tree: &'a ScannedTree,
    rules: &'a Lookup<'a>,
    joined: &'a Joined,
    steps: Steps,
    pending: Vec<PendingFile>,
    replaced: Vec<bool>,
    /// Directories that are made or changed, or whose content changes.
    dirty: BTreeSet<u32>,
    /// Inodes with many names that stay; their names may change.
    claimed: HashSet<u64>,
}

impl Compare<'_> {
    fn directory(&mut self, i: u32, entry: &Entry) {
        match self.joined.place(i) {
            EntryPlace::Outside | EntryPlace::Kept(_) | EntryPlace::Settled => {}
            EntryPlace::Missing | EntryPlace::Mount => self.make_dir(i, entry, None),
            EntryPlace::Other(node) => {
                self.make_dir(i, entry, Some((node, self.tree.node(node).kind == Kind::Dir)));
            }
            EntryPlace::Here(node) => {
                let mut wrong =
                    metadata::differences(self.tree, node, &MetadataWanted::from_entry(entry, self.rules));
                wrong.mtime &= !self.joined.is_loose(i);
                if wrong.any() {
                    self.dirty.insert(i);
                    self.steps.wrong_dirs += 1;
                } else {
                    self.steps.unchanged += 1;
                }
            }
        }
    }

    fn make_dir(&mut self, entry: u32, view: &Entry, instead_of: Option<(u32, bool)>) {
        self.steps.dirs.push(MakeDir { entry, instead_of });
        self.dirty.insert(entry);
        self.replace(entry, view);
    }

    /// Marks that the path of entry `i` gets another inode, and that its directory changes.
    fn replace(&mut self, i: u32, entry: &Entry) {
        if let Some(slot) = self.replaced.get_mut(i as usize) {
            *slot = true;
        }
        if i != 0
            && let Some(parent) = entry.path.parent().and_then(|parent| self.index.find(parent))
        {
            self.dirty.insert(parent as u32);
        }
    }

    /// Plans an inode with all of its names, of which `first` is the first.
    fn inode(&mut self, first: u32, entry: &Entry) {
        let inode = self.index.inode_of(entry);
        let group = self.joined.group(&first);
        // The first of the inodes at its names that has the right content and is not claimed by
        // another group.
        let found = group.iter().find_map(|name| match self.joined.place(*name) {
            EntryPlace::Here(node)
                if same_content(self.tree, node, &inode)
                    && self.joined.is_private(self.tree, node)
                    && !self.claimed.contains(&self.tree.node(node).ino) =>
            {
                Some((*name, node))
            }
            _ => None,
        });
        let (holder, kept) = match found {
            Some((holder, node)) => {
                let found = self.tree.node(node);
                if found.nlink > 1 {
                    self.claimed.insert(found.ino);
                }
                let wanted = MetadataWanted::from_entry(entry, self.rules);
                if metadata::differences(self.tree, node, &wanted).any() {
                    self.steps.fixes.push(holder);
                } else {
                    self.steps.unchanged += 1;
                }
                (holder, Some(found.ino))
            }
            None => {
                self.make(first, entry, inode.kind);
                (first, None)
            }
        };
        for name in group.iter().copied().filter(|name| *name != holder) {
            match self.joined.place(name) {
                EntryPlace::Here(node) if kept == Some(self.tree.node(node).ino) => self.steps.unchanged += 1,
                _ => {
                    self.steps.links.push(Link { entry: name, to: holder });
                    self.replace(name, &self.index.entry(name as usize));
                }
            }
        }
    }

    fn make(&mut self, i: u32, entry: &Entry, kind: Kind) {
        let old = match self.joined.place(i) {
            EntryPlace::Here(node) | EntryPlace::Other(node) => Some((node, self.tree.node(node).kind)),
            _ => None,
        };
        let late = matches!(old, Some((_, Kind::Dir)));
        match kind {
            Kind::File => {
                let old = old.filter(|(_, kind)| *kind == Kind::File).map(|(node, _)| node);
                self.pending.push(PendingFile { entry: i, old, late });
            }
            _ if late => self.steps.late_specials.push(i),
            _ => self.steps.specials.push(i),
        }
        self.replace(i, entry);
    }

    /// Finds what must be removed, and fails if a directory that must be removed holds something
    /// that must stay.
    fn removals(&mut self) -> Result<(), Conflict> {
        let mut remove: Vec<u32> = Vec::new();
        for ((i, node), held) in
            (0u32..).zip(&self.tree.nodes).zip(self.joined.holding(self.tree, self.rules))
        {
            let is_obstacle = self.joined.is_obstacle(node);
            if is_obstacle && node.kind == Kind::Dir && held != NONE {
                let expected = kind_of(self.index, node.entry);
                return Err(Conflict { directory: i, expected, held });
            }
            if held == NONE && (!is_obstacle || self.is_late(node)) {
                remove.push(i);
            }
        }
        let mut paths: Vec<(Vec<u8>, u32)> = remove.into_iter().map(|i| (self.tree.path(i), i)).collect();
        paths.sort();
        for (_, i) in paths {
            let node = self.tree.node(i);
            match node.kind {
                Kind::Dir => self.steps.remove_dirs.push(i),
                _ => self.steps.remove.push(i),
            }
            let parent = self.tree.node(node.parent).entry;
            if matches!(self.joined.place(parent), EntryPlace::Here(_) | EntryPlace::Kept(_)) {
                self.dirty.insert(parent);
            }
        }
        self.steps.remove_dirs.reverse();
        Ok(())
    }

    /// Returns true if the node is a directory at the path of something else. (An inode in the
    /// place of a directory is removed when the directory is made; others are replaced by a
    /// rename.)
    fn is_late(&self, node: &Node) -> bool {
        node.kind == Kind::Dir && kind_of(self.index, node.entry) != Kind::Dir
    }
}
