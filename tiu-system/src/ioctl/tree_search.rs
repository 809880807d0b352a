//! Items of a subvolume's tree: `BTRFS_IOC_TREE_SEARCH_V2` of `<linux/btrfs.h>`.

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::io;
use std::os::fd::BorrowedFd;

/// Bytes for the items of one call. An item fits into a block of metadata, which has at most 64
/// KiB.
const BUFFER: usize = 128 << 10;

/// The key of an item of a tree. Keys are ordered by object, kind and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeKey {
    /// The number of the object: in the tree of a subvolume, an inode number.
    pub object: u64,
    /// The kind of item (`BTRFS_*_KEY` of `<linux/btrfs_tree.h>`).
    pub kind: u8,
    /// A number with a meaning that depends on the kind.
    pub offset: u64,
}

/// `struct btrfs_ioctl_search_args_v2`, without its buffer. The first 104 bytes are `struct
/// btrfs_ioctl_search_key`.
#[repr(C)]
#[derive(Clone, Copy)]
struct SearchHead {
    tree: u64,
    min_object: u64,
    max_object: u64,
    min_offset: u64,
    max_offset: u64,
    min_transaction: u64,
    max_transaction: u64,
    min_kind: u32,
    max_kind: u32,
    items: u32,
    unused: u32,
    unused_more: [u64; 4],
    buffer_size: u64,
}

#[repr(C)]
struct SearchArguments {
    head: SearchHead,
    buffer: [u8; BUFFER],
}

const BTRFS_IOC_TREE_SEARCH_V2: Opcode = opcode::read_write::<SearchHead>(0x94, 17);

/// Reads items of a tree of the btrfs that `fd` is on, as the kernel has them in memory. Needs
/// `CAP_SYS_ADMIN`.
///
/// `tree` is the number of the tree; 0 is that of the subvolume that `fd` is in. The items have keys
/// from `first` to `last`, and are in blocks of the tree that were written in transaction
/// `transaction` or later.
///
/// Returns the number of items and the bytes that hold them. There may be more after these; zero
/// items are the end. Each item is a `struct btrfs_ioctl_search_header` and its data.
pub fn tree_search(
    fd: BorrowedFd,
    tree: u64,
    first: TreeKey,
    last: TreeKey,
    transaction: u64,
) -> io::Result<(u32, Vec<u8>)> {
    let mut arguments = Box::new(SearchArguments {
        head: SearchHead {
            tree,
            min_object: first.object,
            max_object: last.object,
            min_offset: first.offset,
            max_offset: last.offset,
            min_transaction: transaction,
            max_transaction: u64::MAX,
            min_kind: first.kind.into(),
            max_kind: last.kind.into(),
            items: u32::MAX,
            unused: 0,
            unused_more: [0; 4],
            buffer_size: BUFFER as u64,
        },
        buffer: [0; BUFFER],
    });
    // SAFETY: BTRFS_IOC_TREE_SEARCH_V2 reads and writes one `struct btrfs_ioctl_search_args_v2`,
    // which `SearchHead` mirrors, and writes at most `buffer_size` bytes to the buffer after it.
    unsafe { ioctl(fd, Updater::<BTRFS_IOC_TREE_SEARCH_V2, SearchArguments>::new(&mut *arguments)) }?;
    Ok((arguments.head.items, arguments.buffer.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};
    use std::os::fd::AsFd;

    // The values come from a C program that includes <linux/btrfs.h>.
    #[test]
    fn struct_and_number_are_the_kernels() {
        assert_eq!((size_of::<SearchHead>(), offset_of!(SearchHead, buffer_size)), (112, 104));
        assert_eq!((offset_of!(SearchHead, min_kind), offset_of!(SearchHead, items)), (56, 64));
        assert_eq!(offset_of!(SearchArguments, buffer), 112);
        assert_eq!(BTRFS_IOC_TREE_SEARCH_V2, 0xc070_9411);
    }

    #[test]
    fn another_filesystem_has_no_tree() {
        let proc = std::fs::File::open("/proc/self/status").unwrap();
        let key = TreeKey { object: 256, kind: 0, offset: 0 };
        assert!(tree_search(proc.as_fd(), 0, key, key, 0).is_err());
    }
}
