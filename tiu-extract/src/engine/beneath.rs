//! Reaches the inodes of a tree: from its directory descriptor, never through a symlink, never into
//! another mount.
//!
//! `openat2` opens them, with `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV`. System
//! calls without such flags (rename, unlink, link, mkdir) get the descriptor of the parent, opened
//! this way, and a single name.

use rustix::fs::{AtFlags, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use tiu_system::beneath::Beneath;

/// Opens `path` below `root`; the empty path is `root` itself.
pub(crate) fn open(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    Beneath::within_mount(root).open(path, flags)
}

/// Opens `path` as [`open`] does, without changing the access time where that is permitted: reading
/// must not make a snapshot differ.
pub(crate) fn open_quietly(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    Beneath::within_mount(root).open_quietly(path, flags)
}

/// Returns the metadata of `name` in `directory`, or of `directory` itself for the empty name.
pub(crate) fn stat(directory: BorrowedFd, name: &CStr) -> Result<Statx, Errno> {
    let empty = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | empty;
    rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS)
}

/// Returns the device of an inode. Another device than the root's means a mount or, on btrfs, a
/// nested subvolume.
pub(crate) fn device(stat: &Statx) -> (u32, u32) {
    (stat.stx_dev_major, stat.stx_dev_minor)
}

/// Returns true for a mount point, also of a bind mount of the same filesystem.
pub(crate) fn is_mount_root(stat: &Statx) -> bool {
    stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// A path `/proc/self/fd/N` or `/proc/self/fd/N/NAME`, for system calls that take only paths.
#[derive(Default)]
pub(crate) struct ProcPath(Vec<u8>);

impl ProcPath {
    /// Returns the path of the inode of `fd`, of any kind. A call must follow symlinks, and then
    /// reaches exactly this inode.
    pub fn descriptor(&mut self, fd: BorrowedFd) -> &CStr {
        self.build(fd, None)
    }

    /// Returns the path of `name` in `directory`. A call must not follow symlinks.
    pub fn within(&mut self, directory: BorrowedFd, name: &CStr) -> &CStr {
        self.build(directory, Some(name))
    }

    fn build(&mut self, fd: BorrowedFd, name: Option<&CStr>) -> &CStr {
        self.0.clear();
        // Writing to a vector does not fail.
        let _ = write!(self.0, "/proc/self/fd/{}", fd.as_raw_fd());
        if let Some(name) = name {
            self.0.push(b'/');
            self.0.extend_from_slice(name.to_bytes());
        }
        self.0.push(0);
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Returns the parent and the last name of `path`.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|c| *c == b'/') {
        Some(i) => (path.get(..i).unwrap_or_default(), path.get(i + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_their_last_slash() {
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }
}
