//! The changes since a transaction.

use super::items::{self, Item, kind};
use super::search::{self, ROOT};
use crate::ioctl::TreeKey;
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;

/// The changes in a subvolume since a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The numbers of the inodes that changed: metadata, content, attributes, and for directories
    /// the names in them. An inode that was removed is not among them; the directory that held it
    /// is.
    pub inodes: BTreeSet<u64>,
    /// The names that were added. What is at and below such a name may have been there for long,
    /// under another name.
    pub names: BTreeSet<NewName>,
    /// Those of `inodes` that are regular files whose content has no checksums.
    pub without_checksums: BTreeSet<u64>,
}

/// A name that was added to a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewName {
    /// The inode number of the directory.
    pub directory: u64,
    /// The name in it.
    pub name: Vec<u8>,
}

/// The first and the last key of the files of a subvolume (`BTRFS_LAST_FREE_OBJECTID`).
const FIRST: TreeKey = TreeKey { object: ROOT, kind: 0, offset: 0 };
const LAST: TreeKey = TreeKey { object: u64::MAX - 255, kind: u8::MAX, offset: u64::MAX };

/// Returns the changes after transaction `transaction`.
pub(super) fn since(root: BorrowedFd, transaction: u64) -> io::Result<Changes> {
    let mut changes = Changes::default();
    // A block that is newer also holds items that are not: each item's own number counts.
    search::visit(root, 0, FIRST, LAST, transaction.saturating_add(1), |item| {
        changes.add(item, transaction)
    })?;
    Ok(changes)
}

impl Changes {
    fn add(&mut self, item: &Item, transaction: u64) -> io::Result<()> {
        let inode = item.key.object;
        match item.key.kind {
            kind::INODE_ITEM => {
                let found = items::inode_item(item.data)?;
                if found.transaction > transaction {
                    self.inodes.insert(inode);
                    if found.without_checksums && is_file(found.mode) {
                        self.without_checksums.insert(inode);
                    }
                }
            }
            kind::XATTR_ITEM => {
                let newer = |found: &items::DirItem| found.transaction > transaction;
                self.inodes.extend(items::dir_items(item.data)?.iter().any(newer).then_some(inode));
            }
            kind::DIR_ITEM | kind::DIR_INDEX => {
                for found in items::dir_items(item.data)?.iter().filter(|f| f.transaction > transaction) {
                    self.inodes.insert(inode);
                    self.names.insert(NewName { directory: inode, name: found.name.to_vec() });
                }
            }
            kind::EXTENT_DATA if items::extent_transaction(item.data)? > transaction => {
                self.inodes.insert(inode);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the inodes of all regular files whose content has no checksums.
pub(super) fn without_checksums(root: BorrowedFd) -> io::Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    search::visit(root, 0, FIRST, LAST, 0, |item| {
        if item.key.kind == kind::INODE_ITEM {
            let inode = items::inode_item(item.data)?;
            if inode.without_checksums && is_file(inode.mode) {
                found.insert(item.key.object);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

fn is_file(mode: u32) -> bool {
    FileType::from_raw_mode(mode) == FileType::RegularFile
}
