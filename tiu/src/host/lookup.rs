//! A system in which paths are looked up as its programs do: in a tree, or on paper in an image's
//! index.

use rustix::fs::{Dir, FileType};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use tiu_bundle::index::{Entry, Index, Kind};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::Tree;

/// The number of symbolic links that the kernel follows in one path: `MAXSYMLINKS`.
const MAX_LINKS: usize = 40;

/// An inode of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// True if the owner, the group or others can execute it.
        executable: bool,
    },
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    /// A device, a fifo or a socket.
    Other,
}

/// A system whose inodes can be looked up. Symbolic links are not followed.
pub trait NodeLookup {
    /// Returns the inode at `path`, or `None` if there is none.
    fn node(&self, path: &TreePath) -> Option<Node>;

    /// Returns the names in a directory. Only `/boot` and the directories of kernel modules are
    /// asked for.
    fn names(&self, directory: &TreePath) -> Vec<Vec<u8>>;
}

/// Returns the path that a program of `system` finds at `path`, and the inode there. Symbolic links
/// lead within the system.
pub fn resolve(system: &dyn NodeLookup, path: &TreePath) -> Option<(TreePathBuf, Node)> {
    let (at, node) = follow(system, path)?;
    Some((at, node?))
}

/// Returns the path to which `path` leads in `system`. The parts that do not exist stay as they
/// are, and so does a path in a circle of symbolic links.
pub fn destination(system: &dyn NodeLookup, path: &TreePath) -> TreePathBuf {
    follow(system, path).map_or_else(|| path.to_owned(), |(at, _)| at)
}

/// Returns the path to which `path` leads, and the inode there if it exists. Returns `None` for a
/// circle of links, below what is not a directory, and for the parent of what does not exist.
fn follow(system: &dyn NodeLookup, path: &TreePath) -> Option<(TreePathBuf, Option<Node>)> {
    let mut todo: VecDeque<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
    let (mut at, mut node, mut links) = (TreePathBuf::new("").ok()?, Some(Node::Directory), 0);
    while let Some(name) = todo.pop_front() {
        if node.as_ref().is_some_and(|node| *node != Node::Directory) {
            return None;
        }
        if name == b".." {
            // Only a directory that exists has a parent.
            node.as_ref()?;
            at.pop();
            continue;
        }
        let next = at.child(&name).ok()?;
        match system.node(&next) {
            Some(Node::Link(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                if target.starts_with(b"/") {
                    at = TreePathBuf::new("").ok()?;
                }
                let parts = target.split(|c| *c == b'/').filter(|part| !part.is_empty() && *part != b".");
                parts.rev().for_each(|part| todo.push_front(part.to_vec()));
            }
            found => (at, node) = (next, found),
        }
    }
    Some((at, node))
}

impl NodeLookup for Tree {
    fn node(&self, path: &TreePath) -> Option<Node> {
        let stat = self.stat(path)?;
        Some(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Node::Directory,
            FileType::RegularFile => Node::File {
                size: stat.st_size.try_into().unwrap_or_default(),
                executable: stat.st_mode & 0o111 != 0,
            },
            FileType::Symlink => Node::Link(self.link(path)?),
            _ => Node::Other,
        })
    }

    fn names(&self, directory: &TreePath) -> Vec<Vec<u8>> {
        let directory = self.directory(directory).ok();
        let entries = directory.and_then(|fd| Dir::read_from(fd).ok()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_bytes().to_vec());
        names.filter(|name| !matches!(&name[..], b"." | b"..")).collect()
    }
}

/// An image's index, with the names in the directories of kernels at hand.
pub struct Paper<'a> {
    index: &'a Index,
    names: BTreeMap<TreePathBuf, Vec<Vec<u8>>>,
}

impl<'a> Paper<'a> {
    /// Returns the system of `index`.
    pub fn new(index: &'a Index) -> Self {
        let of_kernels = |path: &TreePath| {
            ["boot", "lib/modules", "usr/lib/modules"]
                .iter()
                .any(|top| path.starts_with(TreePath::literal(top)))
        };
        let mut names: BTreeMap<TreePathBuf, Vec<Vec<u8>>> = BTreeMap::new();
        for entry in index.iter().filter(|entry| of_kernels(&entry.path)) {
            if let (Some(parent), Some(name)) = (entry.path.parent(), entry.path.file_name()) {
                names.entry(parent.to_owned()).or_default().push(name.to_vec());
            }
        }
        Paper { index, names }
    }
}

impl NodeLookup for Paper<'_> {
    fn node(&self, path: &TreePath) -> Option<Node> {
        let entry = self.index.entry(self.index.find(path)?);
        let entry: Cow<'_, Entry<'_>> = self.index.inode_of(&entry);
        Some(match entry.kind {
            Kind::Dir => Node::Directory,
            Kind::File => Node::File { size: entry.size, executable: entry.mode & 0o111 != 0 },
            Kind::Symlink => Node::Link(entry.target.as_deref()?.to_vec()),
            _ => Node::Other,
        })
    }

    fn names(&self, directory: &TreePath) -> Vec<Vec<u8>> {
        self.names.get(directory).cloned().unwrap_or_default()
    }
}
