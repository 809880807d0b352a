//! An image on paper: its index as a system in which paths are looked up.

use std::borrow::Cow;
use std::io;
use tiu_bundle::index::{Entry, Index, Kind};
use tiu_system::path::TreePath;
use tiu_system::tree::{Node, NodeLookup};

/// An image's index.
pub struct Paper<'a>(pub &'a Index);

impl NodeLookup for Paper<'_> {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        let Some(found) = self.0.find(path) else { return Ok(None) };
        let entry = self.0.entry(found);
        let entry: Cow<'_, Entry<'_>> = self.0.inode_of(&entry);
        Ok(Some(match entry.kind {
            Kind::Dir => Node::Directory,
            Kind::File => Node::File { size: entry.size, executable: entry.mode & 0o111 != 0 },
            Kind::Symlink => Node::Link(entry.target.as_deref().unwrap_or_default().to_vec()),
            _ => Node::Other,
        }))
    }

    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.0.names(directory))
    }
}
