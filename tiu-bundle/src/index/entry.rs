//! One inode of the index.

use crate::content_digest::Digest;
use std::borrow::Cow;

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link.
    Symlink,
    /// Character device.
    CharDev,
    /// Block device.
    BlockDev,
    /// Named pipe.
    Fifo,
    /// Unix socket.
    Socket,
    /// Another name of the regular file or other inode that `target` names.
    HardLink,
}

/// Modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: u32,
}

/// A view of one line, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path relative to the root, without a leading slash; empty for the root itself. Any bytes but NUL.
    pub path: Cow<'a, [u8]>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits (`07777`). For hard links, this and all below but `target` are as of the inode it names.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner's number in the image.
    pub uid: u32,
    /// Group's number in the image.
    pub gid: u32,
    /// Device number as `st_rdev`, for devices.
    pub rdev: u64,
    /// Modification time.
    pub mtime: Mtime,
    /// Bytes, for regular files; target's length for symlinks; 0 otherwise.
    pub size: u64,
    /// Symlink: its target. Hard link: path of the inode, relative to the root without a leading slash.
    pub target: Option<Cow<'a, [u8]>>,
    /// Content digest, for regular files.
    pub digest: Option<Digest>,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>,
}

/// An entry that owns its bytes.
pub type EntryBuf = Entry<'static>;
