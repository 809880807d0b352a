//! Joins the index with a scanned tree: finds for every entry what is at its path, and who may
//! change that.

use super::hash::HashRequest;
use super::rules::Lookup;
use super::tree::{NONE, Node, Ownership, ScannedTree};
use super::unreadable::Part;
use super::walk::ReadAttributes;
use std::collections::{HashMap, HashSet};
use tiu_bundle::index::{Entry, Index, Kind};

/// The state of an entry's path in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryPlace {
    /// Not to be touched: a host path, a path below one, or a kept path.
    Outside,
    /// A missing directory that belongs to the host with everything below: the empty directory is
    /// made.
    Mount,
    /// Free.
    Missing,
    /// An inode of the same kind.
    Here(u32),
    /// An inode of another kind, or a directory that cannot be used.
    Other(u32),
    /// An inode that is as the index says. It has no node.
    Settled,
    /// A directory that stays as it is; the engine changes what lies below it.
    Kept(u32),
}

/// An index and a tree, side by side.
pub(crate) struct Joined {
    /// The state of each entry's path.
    pub places: Vec<EntryPlace>,
    /// Regular files with the size of the index's file at the same path: their content decides.
    pub same_size: Vec<HashRequest>,
    /// Regular files with another size than the index's file at the same path.
    pub other_size: Vec<HashRequest>,
    /// The names that belong to the tree, of each inode with many names, in path order.
    groups: Vec<Vec<u32>>,
    /// The group of each entry that has one.
    group_of: HashMap<u32, usize>,
    /// By entry: true for a directory whose modification time means nothing, because the host makes
    /// and removes files there.
    loose: Vec<bool>,
    /// Inodes with many names in the target of which one does not belong to the tree or was not
    /// found.
    shared_outside: HashSet<u64>,
}

impl Joined {
    pub fn new(index: &Index, tree: &ScannedTree, rules: &Lookup, attributes: ReadAttributes) -> Self {
        let mut nodes = vec![NONE; index.len()];
        let mut loose = vec![false; index.len()];
        for (i, node) in (0u32..).zip(&tree.nodes) {
            if let Some(slot) = nodes.get_mut(node.entry as usize) {
                *slot = i;
            }
            let parent = tree.nodes.get(node.parent as usize).map_or(NONE, |parent| parent.entry);
            let loosened = match node.ownership {
                Ownership::Host | Ownership::Kept if i > 0 => parent,
                Ownership::Opaque => node.entry,
                _ => NONE,
            };
            if let Some(slot) = loose.get_mut(loosened as usize) {
                *slot = true;
            }
        }
        let mut joined = Joined {
            places: Vec::with_capacity(index.len()),
            same_size: Vec::new(),
            other_size: Vec::new(),
            groups: Vec::new(),
            group_of: HashMap::new(),
            loose,
            shared_outside: shared_outside(tree),
        };
        joined.find_places(index, tree, rules, &nodes, attributes);
        joined
    }

    fn find_places(
        &mut self,
        index: &Index,
        tree: &ScannedTree,
        rules: &Lookup,
        nodes: &[u32],
        attributes: ReadAttributes,
    ) {
        // Earlier entries whose path is a prefix (by bytes) of the current one, by length. The
        // parent is among them.
        let mut prefixes: Vec<(usize, u32)> = Vec::new();
        let mut previous: Vec<u8> = Vec::new();
        // By first name and subvolume.
        let mut groups: HashMap<(Vec<u8>, Option<usize>), usize> = HashMap::new();
        for (i, entry) in (0u32..).zip(index.iter()) {
            let path = entry.path.as_bytes();
            let common = previous.iter().zip(path).take_while(|(a, b)| a == b).count();
            while prefixes.last().is_some_and(|(len, _)| *len > common) {
                prefixes.pop();
            }
            let parent_len = path.iter().rposition(|c| *c == b'/').unwrap_or(0);
            let parent = match i {
                0 => NONE,
                _ => prefixes
                    .binary_search_by_key(&parent_len, |(len, _)| *len)
                    .map_or(NONE, |at| prefixes.get(at).map_or(NONE, |(_, parent)| *parent)),
            };
            let node = nodes.get(i as usize).copied().filter(|node| *node != NONE);
            let found = node.map(|n| (n, tree.node(n)));
            let place = match self.place_of(&entry, parent, found, rules) {
                _ if tree.is_settled(i) => EntryPlace::Settled,
                // Only its name is known.
                EntryPlace::Here(node) if tree.lacks(node, Part::Inode) => EntryPlace::Other(node),
                place => place,
            };
            self.places.push(place);
            match place {
                EntryPlace::Outside if node.is_none() => {
                    if let Some(loose) = self.loose.get_mut(parent as usize) {
                        *loose = true;
                    }
                }
                // What was read during the walk is known.
                EntryPlace::Here(node) if tree.was_read(node) => {}
                EntryPlace::Here(node) if entry.digest.is_some() => {
                    let found = tree.node(node);
                    let attributes = attributes == ReadAttributes::WithContent;
                    let wanted = HashRequest { node, attributes };
                    match found.kind {
                        Kind::File if found.value == entry.size => self.same_size.push(wanted),
                        Kind::File => self.other_size.push(wanted),
                        _ => {}
                    }
                }
                _ => {}
            }
            if entry.nlink > 1 && entry.kind != Kind::Dir && place != EntryPlace::Outside {
                let first = entry.link.as_ref().unwrap_or(&entry.path).as_bytes().to_vec();
                let group = *groups.entry((first, subvolume(tree, path))).or_insert(self.groups.len());
                match self.groups.get_mut(group) {
                    Some(names) => names.push(i),
                    None => self.groups.push(vec![i]),
                }
                self.group_of.insert(i, group);
            }
            prefixes.push((path.len(), i));
            previous.clear();
            previous.extend_from_slice(path);
        }
    }

    fn place_of(&self, entry: &Entry, parent: u32, node: Option<(u32, &Node)>, rules: &Lookup) -> EntryPlace {
        let is_dir = entry.kind == Kind::Dir;
        match self.places.get(parent as usize) {
            Some(EntryPlace::Outside | EntryPlace::Mount) => return EntryPlace::Outside,
            Some(
                EntryPlace::Missing
                | EntryPlace::Other(_)
                | EntryPlace::Here(_)
                | EntryPlace::Kept(_)
                | EntryPlace::Settled,
            )
            | None => {}
        }
        match node {
            None if rules.is_host(entry.path.as_bytes()) && is_dir => EntryPlace::Mount,
            None if rules.is_host(entry.path.as_bytes()) || rules.is_kept(entry.path.as_bytes()) => {
                EntryPlace::Outside
            }
            None => EntryPlace::Missing,
            Some((i, node)) => match node.ownership {
                Ownership::Host => EntryPlace::Outside,
                Ownership::Kept if is_dir && node.kind == Kind::Dir => EntryPlace::Kept(i),
                Ownership::Kept => EntryPlace::Outside,
                Ownership::Placeholder => EntryPlace::Other(i),
                Ownership::Ours | Ownership::Opaque => {
                    let same = match entry.kind {
                        Kind::HardLink => node.kind != Kind::Dir,
                        kind => node.kind == kind,
                    };
                    if same { EntryPlace::Here(i) } else { EntryPlace::Other(i) }
                }
            },
        }
    }

    /// Returns the state of the path of entry `i`.
    pub fn place(&self, i: u32) -> EntryPlace {
        self.places.get(i as usize).copied().unwrap_or(EntryPlace::Outside)
    }

    /// Returns the names of the tree that share the inode of entry `i`, including `i`, in path
    /// order.
    pub fn group<'a>(&'a self, i: &'a u32) -> &'a [u32] {
        let group = self.group_of.get(i).and_then(|group| self.groups.get(*group));
        group.map_or(std::slice::from_ref(i), Vec::as_slice)
    }

    /// Returns true if the modification time of directory `i` means nothing.
    pub fn is_loose(&self, i: u32) -> bool {
        self.loose.get(i as usize).copied().unwrap_or(false)
    }

    /// Returns for each node one that stays, among the node and everything below it; [`NONE`] if
    /// all can be removed.
    pub fn holding(&self, tree: &ScannedTree, rules: &Lookup) -> Vec<u32> {
        let mut holding = vec![NONE; tree.nodes.len()];
        // Children have higher numbers than their directory.
        for (i, node) in (0..tree.nodes.len() as u32).zip(&tree.nodes).rev() {
            let below = holding.get(i as usize).copied().unwrap_or(NONE);
            let held = match node.ownership {
                Ownership::Host | Ownership::Kept | Ownership::Opaque => i,
                _ if node.entry != NONE && !self.is_obstacle(node) => i,
                _ if node.entry == NONE && !rules.removes(tree.name(i)) => i,
                _ => below,
            };
            if held != NONE {
                for slot in [i, node.parent] {
                    if let Some(slot) = holding.get_mut(slot as usize) {
                        *slot = held;
                    }
                }
            }
        }
        holding
    }

    /// Returns true if the node is at the path of an entry of another kind.
    pub fn is_obstacle(&self, node: &Node) -> bool {
        matches!(self.places.get(node.entry as usize), Some(EntryPlace::Other(_)))
    }

    /// Returns true if the inode of `node` can be changed without harm: all of its names belong to
    /// the tree, and each will keep it, get another inode, or be removed.
    pub fn is_private(&self, tree: &ScannedTree, node: u32) -> bool {
        !self.shared_outside.contains(&tree.node(node).ino)
    }
}

fn shared_outside(tree: &ScannedTree) -> HashSet<u64> {
    let mut names: HashMap<u64, (u32, bool)> = HashMap::new();
    for node in tree.nodes.iter().filter(|node| node.kind != Kind::Dir && node.nlink > 1) {
        let (left, ours) = names.entry(node.ino).or_insert((node.nlink, true));
        *left = left.saturating_sub(1);
        *ours &= node.ownership == Ownership::Ours;
    }
    names.into_iter().filter(|(_, (left, ours))| *left > 0 || !ours).map(|(ino, _)| ino).collect()
}

/// Returns the innermost nested subvolume that holds `path`.
fn subvolume(tree: &ScannedTree, path: &[u8]) -> Option<usize> {
    let is_in =
        |subvolume: &Vec<u8>| path.strip_prefix(&subvolume[..]).is_some_and(|rest| rest.starts_with(b"/"));
    let within = tree.subvolumes.iter().enumerate().filter(|(_, subvolume)| is_in(subvolume));
    within.max_by_key(|(_, subvolume)| subvolume.len()).map(|(i, _)| i)
}

/// Returns the kind of the inode of entry `i`.
pub(crate) fn kind_of(index: &Index, i: u32) -> Kind {
    index.inode_of(&index.entry(i as usize)).kind
}

/// Returns true if the inode of `node` has the content of `entry`, which is not a hard link. The
/// digest of a regular file must be known. Metadata does not count, but an inode of which a part
/// cannot be read is the same as nothing.
pub(crate) fn same_content(tree: &ScannedTree, node: u32, entry: &Entry) -> bool {
    let found = tree.node(node);
    found.kind == entry.kind
        && tree.unreadable(node).is_empty()
        && match found.kind {
            Kind::File => {
                found.value == entry.size && entry.digest.is_some() && tree.digest(node) == entry.digest
            }
            Kind::Symlink => entry.target.as_deref() == Some(tree.target(node)),
            Kind::CharDev | Kind::BlockDev => found.value == entry.rdev,
            _ => true,
        }
}
