//! The items of a tree as bytes: `<linux/btrfs_tree.h>`, little endian on every machine.

use crate::ioctl::TreeKey;
use std::io;

/// The kinds of items that are read (`BTRFS_*_KEY`).
pub(super) mod kind {
    pub const INODE_ITEM: u8 = 1;
    pub const INODE_REF: u8 = 12;
    pub const INODE_EXTREF: u8 = 13;
    pub const XATTR_ITEM: u8 = 24;
    pub const DIR_ITEM: u8 = 84;
    pub const DIR_INDEX: u8 = 96;
    pub const EXTENT_DATA: u8 = 108;
}

/// `BTRFS_INODE_NODATASUM`: the content has no checksums.
const NODATASUM: u64 = 1;

/// An item of a tree.
pub struct Item<'a> {
    /// The key.
    pub key: TreeKey,
    /// The bytes, in the format of the key's kind.
    pub data: &'a [u8],
}

/// The used part of an inode item.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InodeItem {
    /// The transaction that last changed the inode.
    pub transaction: u64,
    /// `st_mode`.
    pub mode: u32,
    /// True if the content has no checksums.
    pub without_checksums: bool,
}

/// A name in a directory, or an extended attribute.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirItem<'a> {
    /// The transaction that added it.
    pub transaction: u64,
    pub name: &'a [u8],
}

/// A name of an inode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// The inode of the directory.
    pub directory: u64,
    pub name: &'a [u8],
}

fn malformed() -> io::Error {
    io::Error::other("an item of a btrfs tree is malformed")
}

/// Bytes that are read from their start.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| malformed())
    }

    fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u16(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn name(&mut self, length: u16) -> io::Result<&'a [u8]> {
        self.take(length.into())
    }
}

/// Returns the `count` items in what a search returned.
pub(super) fn items(count: u32, bytes: &[u8]) -> impl Iterator<Item = io::Result<Item<'_>>> {
    let mut rest = Bytes(bytes);
    // An item that is malformed is the last one: where the next starts is not known.
    let mut failed = false;
    (0..count).map_while(move |_| {
        if failed {
            return None;
        }
        let item = item(&mut rest);
        failed = item.is_err();
        Some(item)
    })
}

/// `struct btrfs_ioctl_search_header` and the data after it. The header has the byte order of the
/// machine.
fn item<'a>(rest: &mut Bytes<'a>) -> io::Result<Item<'a>> {
    let _transaction_of_the_block: [u8; 8] = rest.array()?;
    let object = u64::from_ne_bytes(rest.array()?);
    let offset = u64::from_ne_bytes(rest.array()?);
    let kind = u32::from_ne_bytes(rest.array()?);
    let length = u32::from_ne_bytes(rest.array()?);
    let kind = u8::try_from(kind).map_err(|_| malformed())?;
    let length = usize::try_from(length).map_err(|_| malformed())?;
    Ok(Item { key: TreeKey { object, kind, offset }, data: rest.take(length)? })
}

/// `struct btrfs_inode_item`.
pub(super) fn inode_item(data: &[u8]) -> io::Result<InodeItem> {
    let mut data = Bytes(data);
    let _generation = data.u64()?;
    let transaction = data.u64()?;
    // Size, bytes, block group, links, owner, group.
    data.take(36)?;
    let mode = data.u32()?;
    let _device = data.u64()?;
    let flags = data.u64()?;
    Ok(InodeItem { transaction, mode, without_checksums: flags & NODATASUM != 0 })
}

/// The list of `struct btrfs_dir_item` in a directory's or an attribute's item: names with one
/// hash share it.
pub(super) fn dir_items(data: &[u8]) -> io::Result<Vec<DirItem<'_>>> {
    let mut data = Bytes(data);
    let mut list = Vec::new();
    while !data.0.is_empty() {
        let _location: [u8; 17] = data.array()?;
        let transaction = data.u64()?;
        let (value, name) = (data.u16()?, data.u16()?);
        let _kind: [u8; 1] = data.array()?;
        let name = data.name(name)?;
        data.take(value.into())?;
        list.push(DirItem { transaction, name });
    }
    Ok(list)
}

/// The names in an inode's item of the kinds [`kind::INODE_REF`] and [`kind::INODE_EXTREF`]; none
/// in others.
pub(super) fn references<'a>(item: &Item<'a>) -> io::Result<Vec<Reference<'a>>> {
    let mut data = Bytes(item.data);
    let mut list = Vec::new();
    if !matches!(item.key.kind, kind::INODE_REF | kind::INODE_EXTREF) {
        return Ok(list);
    }
    while !data.0.is_empty() {
        let directory = if item.key.kind == kind::INODE_REF { item.key.offset } else { data.u64()? };
        let _index = data.u64()?;
        let length = data.u16()?;
        list.push(Reference { directory, name: data.name(length)? });
    }
    Ok(list)
}

/// The transaction of a `struct btrfs_file_extent_item`.
pub(super) fn extent_transaction(data: &[u8]) -> io::Result<u64> {
    Bytes(data).u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn dir_item(transaction: u64, name: &[u8], value: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| (bytes.len() as u16).to_le_bytes();
        bytes(&[&[9; 17], &transaction.to_le_bytes(), &length(value), &length(name), &[1], name, value])
    }

    #[test]
    fn an_inode_item() {
        let mut data = vec![0u8; 160];
        data[8..16].copy_from_slice(&77u64.to_le_bytes());
        data[52..56].copy_from_slice(&0o100_644u32.to_le_bytes());
        data[64..72].copy_from_slice(&3u64.to_le_bytes());
        let expected = InodeItem { transaction: 77, mode: 0o100_644, without_checksums: true };
        assert_eq!(inode_item(&data).unwrap(), expected);
        data[64] = 2;
        assert!(!inode_item(&data).unwrap().without_checksums);
        assert!(inode_item(&data[..71]).is_err());
    }

    #[test]
    fn names_with_one_hash_share_an_item() {
        let data = bytes(&[&dir_item(5, b"a", b""), &dir_item(6, b"user.b", b"value")]);
        let expected = [DirItem { transaction: 5, name: b"a" }, DirItem { transaction: 6, name: b"user.b" }];
        assert_eq!(dir_items(&data).unwrap(), expected);
        assert!((1..data.len()).filter(|end| *end != 31).all(|end| dir_items(&data[..end]).is_err()));
    }

    #[test]
    fn references_of_both_kinds() {
        let one = |index: u64, name: &[u8]| {
            bytes(&[&index.to_le_bytes(), &(name.len() as u16).to_le_bytes(), name])
        };
        let key = |kind, offset| TreeKey { object: 300, kind, offset };
        let data = bytes(&[&one(2, b"x"), &one(3, b"yy")]);
        let item = Item { key: key(kind::INODE_REF, 256), data: &data };
        let reference = |directory, name| Reference { directory, name };
        assert_eq!(references(&item).unwrap(), [reference(256, &b"x"[..]), reference(256, b"yy")]);
        let data = bytes(&[&257u64.to_le_bytes(), &one(2, b"z")]);
        let item = Item { key: key(kind::INODE_EXTREF, 1), data: &data };
        assert_eq!(references(&item).unwrap(), [reference(257, &b"z"[..])]);
        let cut = Item { data: &data[..9], ..item };
        assert!(references(&cut).is_err());
    }

    #[test]
    fn an_item_that_is_longer_than_the_buffer() {
        let header = |length: u32| {
            let fixed = [1u64, 256, 0].map(u64::to_ne_bytes).concat();
            bytes(&[&fixed, &1u32.to_ne_bytes(), &length.to_ne_bytes()])
        };
        let good = bytes(&[&header(3), b"abc", &header(0)]);
        let lengths: Vec<usize> = items(2, &good).map(|item| item.unwrap().data.len()).collect();
        assert_eq!(lengths, [3, 0]);
        let found: Vec<_> = items(9, &good).map(|item| item.is_ok()).collect();
        assert_eq!(found, [true, true, false], "fewer items than were announced");
        assert!(items(1, &header(u32::MAX)).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(count in 0u32..5, data in prop::collection::vec(any::<u8>(), 0..300)) {
            let found = items(count, &data).count();
            prop_assert!(found <= count as usize);
            let _ = inode_item(&data);
            let _ = dir_items(&data);
            let _ = extent_transaction(&data);
            for kind in [kind::INODE_REF, kind::INODE_EXTREF] {
                let _ = references(&Item { key: TreeKey { object: 1, kind, offset: 1 }, data: &data });
            }
        }
    }
}
