//! Parts of a tree that the filesystem cannot read: a bad sector, or a damaged block of metadata.
//!
//! Damaged content is harmless: the file is replaced. Damaged metadata is not. btrfs stops writing
//! to the whole filesystem if a change of a tree reaches a block that it cannot read, and a
//! snapshot shares those blocks with its origin. A tree with damaged metadata is therefore never
//! changed.

use super::error::{EngineError, shown};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fmt;
use std::os::fd::BorrowedFd;

/// A part of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The inode itself: only its name is known.
    Inode,
    /// The names in a directory.
    Names,
    /// The target of a symlink.
    Target,
    /// The extended attributes.
    Attributes,
    /// The places of a file's blocks on the disk.
    Extents,
    /// The blocks of a file: the only part that is not metadata.
    FileContent,
}

impl Part {
    /// Returns the operation that reads the part, for an error.
    fn operation(self) -> &'static str {
        match self {
            Part::Inode => "read the metadata of",
            Part::Names => "read the directory",
            Part::Target => "read the symlink",
            Part::Attributes => "read the extended attributes of",
            Part::Extents | Part::FileContent => "read",
        }
    }
}

/// A part of an inode that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub part: Part,
    pub error: Errno,
}

impl Unreadable {
    /// Describes the error of reading `part` of the inode at `path`. Fails with every error that is
    /// not damage.
    pub fn new(part: Part, path: &[u8], error: Errno) -> Result<Self, EngineError> {
        if is_damage(error) {
            Ok(Unreadable { part, error })
        } else {
            Err(EngineError::io(part.operation(), path, error))
        }
    }

    /// Returns true if metadata is damaged.
    pub fn is_metadata(self) -> bool {
        self.part != Part::FileContent
    }

    /// Returns the error that a tree with this damage at `path` is not changed.
    pub fn into_damaged(self, path: &[u8]) -> EngineError {
        EngineError::Damaged { path: shown(path), what: self.to_string() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Inode => "inode: ",
            Part::Names => "names: ",
            Part::Target => "target: ",
            Part::Attributes => "extended attributes: ",
            Part::Extents => "extents: ",
            Part::FileContent => "",
        };
        write!(f, "{part}{}", std::io::Error::from(self.error))
    }
}

/// Returns true for the errors of a disk or filesystem that cannot return what it holds.
pub(crate) fn is_damage(error: Errno) -> bool {
    // EILSEQ, EBADMSG and ENODATA are what some disks and filesystems say of a bad sector.
    matches!(error, Errno::IO | Errno::UCLEAN | Errno::ILSEQ | Errno::BADMSG | Errno::NODATA)
}

/// Finds damage in the metadata that says where the blocks of `file` are: looking for its holes
/// reads all of it, and none of the blocks.
pub(crate) fn probe_extents(file: BorrowedFd) -> Option<Errno> {
    let mut at = 0u64;
    loop {
        let hole = match rustix::fs::seek(file, SeekFrom::Hole(at)) {
            Ok(hole) => hole,
            // The end, or a filesystem that does not know.
            Err(e) => return Some(e).filter(|e| is_damage(*e)),
        };
        at = match rustix::fs::seek(file, SeekFrom::Data(hole)) {
            Ok(data) if data > hole => data,
            Ok(_) => return None,
            Err(e) => return Some(e).filter(|e| is_damage(*e)),
        };
    }
}
