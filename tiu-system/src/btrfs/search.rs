//! Reads a range of a tree, a buffer at a time.

use super::items::{Item, items};
use crate::ioctl::{TreeKey, tree_search};
use std::io;
use std::os::fd::BorrowedFd;

/// `BTRFS_FIRST_FREE_OBJECTID` of `linux/btrfs_tree.h`: the inode number of a subvolume's root.
pub(super) const ROOT: u64 = 256;

/// Calls `visit` with the items of a tree of the btrfs that `fd` is on, in order of their keys.
/// Needs `CAP_SYS_ADMIN`.
///
/// `tree` is the number of the tree; 0 is that of the subvolume that `fd` is in. The items have keys
/// from `first` to `last`, and are in blocks of the tree that were written in transaction
/// `transaction` or later. A block that is newer also holds items that are not.
pub fn visit(
    fd: BorrowedFd,
    tree: u64,
    first: TreeKey,
    last: TreeKey,
    transaction: u64,
    mut visit: impl FnMut(&Item) -> io::Result<()>,
) -> io::Result<()> {
    let mut next = Some(first);
    while let Some(first) = next.filter(|first| *first <= last) {
        let (count, bytes) = tree_search(fd, tree, first, last, transaction)?;
        if count == 0 {
            break;
        }
        let mut reached = None;
        for item in items(count, &bytes) {
            let item = item?;
            if reached.unwrap_or(first) > item.key {
                return Err(io::Error::other("the items of a btrfs tree are not in order"));
            }
            reached = Some(item.key);
            visit(&item)?;
        }
        next = reached.and_then(after);
    }
    Ok(())
}

/// Returns the key right after `key`, if there is one.
fn after(key: TreeKey) -> Option<TreeKey> {
    if let Some(offset) = key.offset.checked_add(1) {
        return Some(TreeKey { offset, ..key });
    }
    if let Some(kind) = key.kind.checked_add(1) {
        return Some(TreeKey { kind, offset: 0, ..key });
    }
    Some(TreeKey { object: key.object.checked_add(1)?, kind: 0, offset: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_after_a_key() {
        let key = |object, kind, offset| TreeKey { object, kind, offset };
        assert_eq!(after(key(1, 2, 3)), Some(key(1, 2, 4)));
        assert_eq!(after(key(1, 2, u64::MAX)), Some(key(1, 3, 0)));
        assert_eq!(after(key(1, u8::MAX, u64::MAX)), Some(key(2, 0, 0)));
        assert_eq!(after(key(u64::MAX, u8::MAX, u64::MAX)), None);
    }
}
