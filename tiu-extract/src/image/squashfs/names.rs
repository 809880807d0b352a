//! All names of an image, and for each regular file a reference to its inode.
//!
//! Directories are walked once, with a list instead of recursion. The names of one directory lie
//! together and are sorted, so finding a path takes one binary search for each component. A file
//! costs its name and 40 bytes.

use super::block::{StoredBlock, malformed};
use super::inode::{FileInode, kind, listing};
use super::metadata::{Cursor, Metadata};
use super::superblock::Superblock;
use crate::image::error::ImageError;
use std::collections::HashSet;
use tiu_bundle::index::{MAX_ENTRIES, MIN_LINE_SIZE};
use tiu_system::path::TreePath;

/// The most entries after one header of a directory.
const MAX_COUNT: u32 = 256;
/// The longest name in bytes.
const MAX_NAME: u16 = 256;

/// All names.
pub struct Names {
    names: Vec<u8>,
    /// The root comes first; the children of a directory lie together.
    nodes: Vec<NameNode>,
    /// The most bytes that the index of the image can have.
    index_limit: u64,
}

struct NameNode {
    name: usize,
    length: u16,
    kind: NodeKind,
}

#[derive(Clone, Copy)]
enum NodeKind {
    Directory { first: u32, count: u32 },
    File(FileLocation),
    Other,
}

/// A regular file.
#[derive(Clone, Copy)]
pub struct FileLocation {
    /// The reference to its inode, for `FileInode::read`.
    pub inode: u64,
    /// The offset of its content in the image, in bytes.
    pub position: u64,
}

impl Names {
    /// Reads the names of all directories.
    pub fn read(
        metadata: &Metadata,
        superblock: &Superblock,
        fragments: &[StoredBlock],
    ) -> Result<Self, ImageError> {
        let root = NameNode { name: 0, length: 0, kind: NodeKind::Directory { first: 0, count: 0 } };
        let index_limit = superblock.index_limit;
        let mut names = Names { names: Vec::new(), nodes: vec![root], index_limit };
        // A directory has one name. A second one would make a loop, or a walk without end.
        let mut seen = HashSet::from([superblock.root]);
        let mut pending = vec![(0, superblock.root)];
        while let Some((node, reference)) = pending.pop() {
            let first = names.nodes.len();
            let mut children = Vec::new();
            if let Some((cursor, size)) = listing(metadata, superblock, reference)? {
                names.read_directory(cursor, size, &mut children)?;
            }
            names.sort(&mut children)?;
            for child in children {
                let kind = match child.kind {
                    kind::DIRECTORY => {
                        if !seen.insert(child.inode) || seen.len() as u64 > superblock.inodes {
                            return Err(malformed(format!("directory {:#x} has two names", child.inode)));
                        }
                        pending.push((names.nodes.len(), child.inode));
                        NodeKind::Directory { first: 0, count: 0 }
                    }
                    kind::FILE => {
                        NodeKind::File(FileLocation::read(metadata, superblock, fragments, child.inode)?)
                    }
                    _ => NodeKind::Other,
                };
                names.nodes.push(NameNode { name: child.name, length: child.length, kind });
            }
            let count = (names.nodes.len() - first) as u32;
            if let Some(node) = names.nodes.get_mut(node) {
                node.kind = NodeKind::Directory { first: first as u32, count };
            }
        }
        names.names.shrink_to_fit();
        names.nodes.shrink_to_fit();
        Ok(names)
    }

    /// Reads `size` bytes of headers, each followed by its entries.
    fn read_directory(
        &mut self,
        mut cursor: Cursor,
        size: u32,
        children: &mut Vec<Child>,
    ) -> Result<(), ImageError> {
        let mut left = size;
        let mut take = |bytes: u32| match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                Ok(rest > 0)
            }
            None => Err(malformed(format!("a directory's entries do not end at its size of {size} bytes"))),
        };
        loop {
            take(12)?;
            let (count, block) = (cursor.u32()?, cursor.u32()?);
            cursor.skip::<4>()?; // number of the first inode
            if count >= MAX_COUNT {
                return Err(malformed(format!(
                    "a directory's header has {count} more entries, expected less than {MAX_COUNT}"
                )));
            }
            let mut more = true;
            for _ in 0..=count {
                take(8)?;
                let offset = cursor.u16()?;
                cursor.skip::<2>()?; // number of the inode, less the first's
                let (kind, length) = (cursor.u16()?, cursor.u16()?.saturating_add(1));
                more = take(u32::from(length))?;
                if length > MAX_NAME || !(kind::DIRECTORY..=kind::LAST).contains(&kind) {
                    return Err(malformed(format!(
                        "a name of {length} bytes for an inode of kind {kind}, expected at most {MAX_NAME} bytes and a basic kind"
                    )));
                }
                let name = self.names.len();
                self.names.resize(name + usize::from(length), 0);
                let bytes = self.names.get_mut(name..).unwrap_or_default();
                cursor.read(bytes)?;
                if matches!(&*bytes, b"." | b"..") || bytes.iter().any(|byte| matches!(byte, 0 | b'/')) {
                    return Err(malformed(format!("a file is named {:?}", String::from_utf8_lossy(bytes))));
                }
                children.push(Child {
                    name,
                    length,
                    kind,
                    inode: u64::from(block) << 16 | u64::from(offset),
                });
            }
            // Each name has its line in the index.
            let count = (self.nodes.len() + children.len()) as u64;
            let (bytes, limit) = (self.names.len() as u64, self.index_limit);
            let text = count.saturating_mul(MIN_LINE_SIZE - 1).saturating_add(bytes);
            if count > MAX_ENTRIES || text > limit {
                return Err(malformed(format!(
                    "{count} names of {bytes} bytes, more than an index of at most {limit} bytes can list"
                )));
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn sort(&self, children: &mut [Child]) -> Result<(), ImageError> {
        let name = |child: &Child| self.name(child.name, child.length);
        if !children.is_sorted_by_key(name) {
            children.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        }
        for pair in children.windows(2) {
            if let [a, b] = pair
                && name(a) == name(b)
            {
                return Err(malformed(format!(
                    "a directory has two files named {:?}",
                    String::from_utf8_lossy(name(a))
                )));
            }
        }
        Ok(())
    }

    fn name(&self, name: usize, length: u16) -> &[u8] {
        self.names.get(name..name + usize::from(length)).unwrap_or_default()
    }

    fn children(&self, first: u32, count: u32) -> &[NameNode] {
        let first = first as usize;
        self.nodes.get(first..first + count as usize).unwrap_or_default()
    }

    /// Returns the regular file at `path`.
    pub fn find(&self, path: &TreePath) -> Option<FileLocation> {
        let mut found = self.nodes.first()?.kind;
        for component in path.components() {
            let NodeKind::Directory { first, count } = found else {
                return None;
            };
            let children = self.children(first, count);
            let at =
                children.binary_search_by(|node| self.name(node.name, node.length).cmp(component)).ok()?;
            found = children.get(at)?.kind;
        }
        match found {
            NodeKind::File(file) => Some(file),
            _ => None,
        }
    }

    /// Calls `each` with every path of every regular file.
    pub fn for_each_file(&self, mut each: impl FnMut(&[u8])) {
        let mut pending = vec![(0, Vec::new())];
        while let Some((node, path)) = pending.pop() {
            let Some(NodeKind::Directory { first, count }) =
                self.nodes.get::<usize>(node).map(|node| node.kind)
            else {
                continue;
            };
            for (at, child) in self.children(first, count).iter().enumerate() {
                let mut path = path.clone();
                if node != 0 {
                    path.push(b'/');
                }
                path.extend_from_slice(self.name(child.name, child.length));
                match child.kind {
                    NodeKind::Directory { .. } => pending.push((first as usize + at, path)),
                    NodeKind::File(_) => each(&path),
                    NodeKind::Other => {}
                }
            }
        }
    }
}

struct Child {
    name: usize,
    length: u16,
    kind: u16,
    inode: u64,
}

impl FileLocation {
    fn read(
        metadata: &Metadata,
        superblock: &Superblock,
        fragments: &[StoredBlock],
        inode: u64,
    ) -> Result<Self, ImageError> {
        let (file, _) = FileInode::read(metadata, superblock, inode)?;
        let fragment = match file.tail {
            None => None,
            Some((number, _)) => Some(fragments.get(number as usize).ok_or_else(|| {
                malformed(format!("inode {inode:#x} is in fragment {number} of {}", fragments.len()))
            })?),
        };
        let position = match fragment {
            Some(fragment) if file.blocks == 0 => fragment.start,
            _ => file.start,
        };
        Ok(FileLocation { inode, position })
    }
}
