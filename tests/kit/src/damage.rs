//! Damages a disk without the filesystem's knowledge.

use crate::program::{sh, tool};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Size of a block of metadata, in bytes: what mkfs.btrfs chooses.
const NODE: u64 = 16384;
/// Offset of the logical address in the header of a block of metadata.
const ADDRESS: usize = 48;

/// A block of a tree's metadata, with the keys of its items.
#[derive(Clone, Debug)]
pub struct Leaf {
    address: u64,
    /// Inode number and type of each item: `(257, "INODE_ITEM")`.
    pub items: Vec<(u64, String)>,
}

impl Leaf {
    /// Returns true if the leaf has an item of this type for the inode.
    pub fn has(&self, inode: u64, kind: &str) -> bool {
        self.items.iter().any(|(number, item)| *number == inode && item == kind)
    }

    /// Returns the numbers of the inodes that the leaf has items of.
    pub fn inodes(&self) -> BTreeSet<u64> {
        self.items.iter().map(|(inode, _)| *inode).collect()
    }
}

/// Lists the leaves of subvolume `id` of the filesystem on `disk`, which is not mounted.
pub fn leaves(disk: &Path, id: u64) -> Vec<Leaf> {
    let tree = id.to_string();
    let dump = sh!("btrfs" of "btrfs-progs", "inspect-internal", "dump-tree", "-t", tree, disk).stdout;
    let mut leaves: Vec<Leaf> = Vec::new();
    for line in dump.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["leaf", address, "items", ..] => {
                leaves.push(Leaf { address: address.parse().unwrap(), items: Vec::new() });
            }
            ["item", _, "key", inode, kind, ..] => {
                let inode = inode.trim_start_matches('(').parse().unwrap_or(0);
                leaves.last_mut().unwrap().items.push((inode, kind.to_owned()));
            }
            _ => {}
        }
    }
    leaves
}

/// Changes a byte of each copy of `leaf` on `disk`.
pub fn damage(disk: &Path, leaf: &Leaf) {
    let file = File::options().read(true).write(true).open(disk).unwrap();
    let size = file.metadata().unwrap().len();
    let mut copies = 0;
    let mut header = [0; ADDRESS + 8];
    for offset in (0..size.saturating_sub(NODE)).step_by(4096) {
        file.read_exact_at(&mut header, offset).unwrap();
        if header[ADDRESS..] == leaf.address.to_le_bytes() && header[..32] != [0; 32] {
            file.write_all_at(b"DAMAGED", offset + 300).unwrap();
            copies += 1;
        }
    }
    assert!(copies > 0, "the block {} is not on the disk", leaf.address);
}

/// Changes a byte after each `mark` on `disk`, and returns the number of places.
pub fn damage_content(disk: &Path, mark: &str) -> usize {
    let arguments = ["-obUaF".as_ref(), mark.as_ref(), disk.as_os_str()];
    let found = tool("grep", "grep", &arguments).succeeded().stdout;
    let file = File::options().write(true).open(disk).unwrap();
    let offsets = found.lines().map(|line| line.split(':').next().unwrap().parse::<u64>().unwrap());
    offsets.map(|offset| file.write_all_at(b"DAMAGED", offset + 200).unwrap()).count()
}
