//! A scanned tree: its metadata in memory, compactly.

use rustix::fs::IFlags;
use std::collections::HashMap;
use tiu_bundle::index::{Kind, Mtime};

/// A piece of [`SourceTree::names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

/// Paths and link targets, one after the other: a tree of many files is many short strings.
#[derive(Default)]
pub struct NameTable(Vec<u8>);

impl NameTable {
    /// Adds `bytes`; `None` if there are more than 4 GiB of names.
    pub fn add(&mut self, bytes: &[u8]) -> Option<Span> {
        let span = Span { start: u32::try_from(self.0.len()).ok()?, len: u32::try_from(bytes.len()).ok()? };
        self.0.extend_from_slice(bytes);
        Some(span)
    }

    /// Returns what was added.
    pub fn get(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.0.get(start..start + span.len as usize).unwrap_or_default()
    }
}

/// Extended attributes of an inode, sorted by name.
pub type XattrList = Vec<(Vec<u8>, Vec<u8>)>;

/// Sets of extended attributes; most inodes of a tree share a few of them, or have none.
pub struct XattrTable {
    sets: Vec<XattrList>,
    numbers: HashMap<XattrList, u32>,
}

impl Default for XattrTable {
    /// Set 0 is the empty one.
    fn default() -> Self {
        XattrTable { sets: vec![Vec::new()], numbers: HashMap::from([(Vec::new(), 0)]) }
    }
}

impl XattrTable {
    /// Returns the number of `set`.
    pub fn add(&mut self, set: XattrList) -> u32 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = self.sets.len() as u32;
        self.numbers.insert(set.clone(), number);
        self.sets.push(set);
        number
    }

    /// Returns the set with `number`.
    pub fn get(&self, number: u32) -> &[(Vec<u8>, Vec<u8>)] {
        self.sets.get(number as usize).map(Vec::as_slice).unwrap_or_default()
    }
}

/// One name in the tree.
#[derive(Clone, Copy, Debug)]
pub struct SourceNode {
    /// Path in the tree.
    pub path: Span,
    /// Type of the inode. Names of one inode share `inode`; none is a [`Kind::HardLink`].
    pub kind: Kind,
    /// Permission bits (`07777`).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of devices.
    pub rdev: u64,
    /// Bytes of regular files.
    pub size: u64,
    /// Modification time.
    pub mtime: Mtime,
    /// Number in [`SourceTree::xattrs`].
    pub xattrs: u32,
    /// Target of symbolic links.
    pub target: Option<Span>,
    /// Number of the inode, if it has several names.
    pub inode: Option<u32>,
}

/// A scanned tree.
#[derive(Default)]
pub struct SourceTree {
    /// All names that the rules do not leave out unread, in no order.
    pub nodes: Vec<SourceNode>,
    /// Their paths and targets.
    pub names: NameTable,
    /// Their extended attributes.
    pub xattrs: XattrTable,
    /// Directories that are mount points in the tree; what is mounted there was not read.
    pub mounted: Vec<Vec<u8>>,
    /// Paths of directories with inode flags, and those.
    pub directory_flags: Vec<(Vec<u8>, IFlags)>,
}
