//! One inode of the index.

use crate::content_digest::Digest;
use std::borrow::Cow;
use std::fmt;
use tiu_system::path::TreePath;

/// The type of an inode.
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
    /// Another name of the inode that the entry at `link` carries.
    HardLink,
}

impl Kind {
    /// Returns the file type bits of `st_mode`. A hard link has none of its own.
    pub fn type_bits(self) -> u32 {
        match self {
            Kind::File => 0o100_000,
            Kind::Dir => 0o040_000,
            Kind::Symlink => 0o120_000,
            Kind::CharDev => 0o020_000,
            Kind::BlockDev => 0o060_000,
            Kind::Fifo => 0o010_000,
            Kind::Socket => 0o140_000,
            Kind::HardLink => 0,
        }
    }

    /// Returns the kind of `st_mode`, if it has one and no bits except type and permissions.
    pub fn from_mode(mode: u32) -> Option<Kind> {
        use Kind::*;
        [File, Dir, Symlink, CharDev, BlockDev, Fifo, Socket]
            .into_iter()
            .find(|kind| mode & !0o7777 == kind.type_bits())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "regular file",
            Kind::Dir => "directory",
            Kind::Symlink => "symbolic link",
            Kind::CharDev => "character device",
            Kind::BlockDev => "block device",
            Kind::Fifo => "named pipe",
            Kind::Socket => "socket",
            Kind::HardLink => "hard link",
        })
    }
}

/// Modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: u32,
}

/// Names and values of extended attributes.
pub type Xattrs<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// A view of one line, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path in the image.
    pub path: Cow<'a, TreePath>,
    /// Type; `HardLink` for all names of an inode but the first in path order.
    pub kind: Kind,
    /// Permission bits (`07777`). For hard links, this and all below but `link` are those of the
    /// inode.
    pub mode: u32,
    /// Number of names. Directories can have any number, because filesystems count differently.
    pub nlink: u32,
    /// Owner's number in the image.
    pub uid: u32,
    /// Group's number in the image.
    pub gid: u32,
    /// Device number as `st_rdev`, for devices.
    pub rdev: u64,
    /// Modification time.
    pub mtime: Mtime,
    /// Bytes, for regular files; the target's length for symbolic links; 0 otherwise.
    pub size: u64,
    /// Target of a symbolic link: any bytes but NUL.
    pub target: Option<Cow<'a, [u8]>>,
    /// For hard links, the path of the entry that carries the inode.
    pub link: Option<Cow<'a, TreePath>>,
    /// Content digest, for regular files.
    pub digest: Option<Digest>,
    /// Extended attributes, sorted by name.
    pub xattrs: Xattrs<'a>,
}

#[cfg(test)]
impl EntryBuf {
    /// Returns an empty inode of root's, for tests.
    pub(super) fn empty(path: impl AsRef<[u8]>, kind: Kind) -> Self {
        EntryBuf {
            path: Cow::Owned(tiu_system::path::TreePathBuf::new(path.as_ref()).unwrap()),
            kind,
            mode: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            mtime: Mtime::default(),
            size: 0,
            target: None,
            link: None,
            digest: None,
            xattrs: Vec::new(),
        }
    }
}

impl Entry<'_> {
    /// Returns the same entry with bytes of its own.
    pub fn into_owned(self) -> EntryBuf {
        let own = |bytes: Cow<[u8]>| Cow::Owned(bytes.into_owned());
        let own_path = |path: Cow<TreePath>| Cow::Owned(path.into_owned());
        EntryBuf {
            path: own_path(self.path),
            kind: self.kind,
            mode: self.mode,
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            mtime: self.mtime,
            size: self.size,
            target: self.target.map(own),
            link: self.link.map(own_path),
            digest: self.digest,
            xattrs: self.xattrs.into_iter().map(|(name, value)| (own(name), own(value))).collect(),
        }
    }
}

/// An entry that owns its bytes.
pub type EntryBuf = Entry<'static>;
