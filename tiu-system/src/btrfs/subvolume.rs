//! A subvolume whose tree can be searched.

use super::changes::{self, Changes};
use super::names::Names;
use super::search::ROOT;
use crate::ioctl::{self, SubvolumeFacts};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;

/// `BTRFS_SUPER_MAGIC` of `linux/magic.h`.
const MAGIC: u64 = 0x9123_683e;

/// The root directory of a subvolume, whose tree can be searched.
#[derive(Clone, Copy, Debug)]
pub struct Subvolume<'a> {
    root: BorrowedFd<'a>,
}

impl<'a> Subvolume<'a> {
    /// Returns the subvolume whose root directory is `root`, or `None` if `root` is not one.
    pub fn open(root: BorrowedFd<'a>) -> io::Result<Option<Self>> {
        let filesystem = rustix::fs::fstatfs(root)?;
        let is_root = rustix::fs::fstat(root)?.st_ino == ROOT;
        Ok((filesystem.f_type as u64 == MAGIC && is_root).then_some(Subvolume { root }))
    }

    /// Returns the UUID of the filesystem.
    pub fn filesystem(&self) -> io::Result<String> {
        ioctl::btrfs_uuid(self.root)
    }

    /// Returns the facts that btrfs has of the subvolume.
    pub fn facts(&self) -> io::Result<SubvolumeFacts> {
        ioctl::subvolume_facts(self.root)
    }

    /// Returns the errors that btrfs counted on the devices of the filesystem. The numbers grow when
    /// something cannot be read.
    pub fn device_errors(&self) -> io::Result<Vec<u64>> {
        ioctl::device_errors(self.root)
    }

    /// Writes the changes in memory to the filesystem, so that a search finds them.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self.root)?)
    }

    /// Returns the changes after transaction `transaction`. Needs `CAP_SYS_ADMIN`.
    pub fn changes_since(&self, transaction: u64) -> io::Result<Changes> {
        changes::since(self.root, transaction)
    }

    /// Returns the inodes of all regular files whose content has no checksums. Needs
    /// `CAP_SYS_ADMIN`.
    pub fn files_without_checksums(&self) -> io::Result<BTreeSet<u64>> {
        changes::without_checksums(self.root)
    }

    /// Returns the finder of names of inodes.
    pub fn names(&self) -> Names<'a> {
        Names::new(self.root)
    }
}
