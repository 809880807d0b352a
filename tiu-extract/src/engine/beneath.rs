//! Every way into a tree: relative to its directory descriptor, never through a symlink, never into
//! another mount.
//!
//! `openat2` with `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV` opens; what takes no
//! such flags (rename, unlink, link, mkdir) gets the descriptor of the parent, opened this way, and
//! a single name.

use rustix::fs::{AtFlags, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use tiu_system::beneath::Beneath;

/// Opens `path` (relative; empty: `root` itself) below `root`.
pub(crate) fn open(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    Beneath::within_mount(root).open(path, flags)
}

/// Opens for reading without touching the access time where we may: reading must not make a
/// snapshot differ.
pub(crate) fn open_quietly(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    Beneath::within_mount(root).open_quietly(path, flags)
}

/// Metadata of `name` in `directory`, or of `directory` itself for the empty name.
pub(crate) fn stat(directory: BorrowedFd, name: &CStr) -> Result<Statx, Errno> {
    let empty = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | empty;
    rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS)
}

/// Device that an inode lies on; another one below a tree's root means a mount or, on btrfs, a
/// nested subvolume.
pub(crate) fn device(stat: &Statx) -> (u32, u32) {
    (stat.stx_dev_major, stat.stx_dev_minor)
}

/// Whether something is mounted there (also a bind mount of the same filesystem).
pub(crate) fn is_mount_root(stat: &Statx) -> bool {
    stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// `/proc/self/fd/N` or `/proc/self/fd/N/NAME`: reaches an inode by descriptor where a system call
/// takes only paths.
#[derive(Default)]
pub(crate) struct ProcPath(Vec<u8>);

impl ProcPath {
    /// The inode behind `fd`, of any kind. Calls must follow symlinks, and reach exactly this
    /// inode.
    pub fn descriptor(&mut self, fd: BorrowedFd) -> &CStr {
        self.build(fd, None)
    }

    /// `name` in `directory`. Calls must not follow symlinks.
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

/// A path's parent and last name.
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
