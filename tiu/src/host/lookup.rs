//! An image on paper: its index as a system in which paths are looked up.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use tiu_bundle::index::{Entry, Index, Kind};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Node, NodeLookup};

/// An image's index, with the names in some of its directories at hand.
pub struct Paper<'a> {
    index: &'a Index,
    names: BTreeMap<TreePathBuf, Vec<Vec<u8>>>,
}

impl<'a> Paper<'a> {
    /// Returns the system of `index`, with the names in the directories of kernels.
    pub fn new(index: &'a Index) -> Self {
        const OF_KERNELS: [&TreePath; 3] = [
            TreePath::literal("boot"),
            TreePath::literal("lib/modules"),
            TreePath::literal("usr/lib/modules"),
        ];
        Self::with_names(index, |path| OF_KERNELS.iter().any(|top| path.starts_with(top)))
    }

    /// Returns the system of `index`, with the names in all of its directories.
    pub fn complete(index: &'a Index) -> Self {
        Self::with_names(index, |_| true)
    }

    fn with_names(index: &'a Index, is_listed: impl Fn(&TreePath) -> bool) -> Self {
        let mut names: BTreeMap<TreePathBuf, Vec<Vec<u8>>> = BTreeMap::new();
        for entry in index.iter().filter(|entry| is_listed(&entry.path)) {
            if let (Some(parent), Some(name)) = (entry.path.parent(), entry.path.file_name()) {
                names.entry(parent.to_owned()).or_default().push(name.to_vec());
            }
        }
        Paper { index, names }
    }
}

impl NodeLookup for Paper<'_> {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        let Some(found) = self.index.find(path) else { return Ok(None) };
        let entry = self.index.entry(found);
        let entry: Cow<'_, Entry<'_>> = self.index.inode_of(&entry);
        Ok(Some(match entry.kind {
            Kind::Dir => Node::Directory,
            Kind::File => Node::File { size: entry.size, executable: entry.mode & 0o111 != 0 },
            Kind::Symlink => Node::Link(entry.target.as_deref().unwrap_or_default().to_vec()),
            _ => Node::Other,
        }))
    }

    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.names.get(directory).cloned().unwrap_or_default())
    }
}
