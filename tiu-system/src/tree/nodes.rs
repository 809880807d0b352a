//! The inodes of a system, by their exact paths.

use super::error::TreeError;
use super::read::Tree;
use crate::beneath::Beneath;
use crate::path::TreePath;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, readlinkat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Returns an open file if it is a regular one.
pub(super) fn is_regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// An inode of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// True if the owner, the group or others can execute it.
        executable: bool,
    },
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    /// A device, a fifo or a socket.
    Other,
}

/// A system whose inodes can be looked up: in a tree, or on paper. Symbolic links are not followed.
pub trait NodeLookup {
    /// Returns the inode at `path`, or `None` if there is none.
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>>;

    /// Returns the names in a directory, in any order.
    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>>;
}

/// A system whose files can be read, too.
pub trait Layer: NodeLookup {
    /// Opens the regular file at `path`. Opening a fifo does not block.
    fn open(&self, path: &TreePath) -> io::Result<Box<dyn Read + '_>>;

    /// Returns the name of `path` for messages.
    fn shown(&self, path: &TreePath) -> PathBuf;
}

impl NodeLookup for Tree {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        let Some(name) = path.file_name() else { return Ok(Some(Node::Directory)) };
        let parent = path.parent().unwrap_or_default();
        let found = Beneath::new(self.fd())
            .open(parent.as_bytes(), OFlags::PATH | OFlags::DIRECTORY)
            .and_then(|parent| Ok((statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?, parent)));
        let (stat, parent) = match found {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Node::Directory,
            FileType::RegularFile => Node::File {
                size: stat.st_size.try_into().unwrap_or_default(),
                executable: stat.st_mode & 0o111 != 0,
            },
            FileType::Symlink => Node::Link(readlinkat(parent, name, Vec::new())?.into_bytes()),
            _ => Node::Other,
        }))
    }

    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = Beneath::new(self.fd()).open(directory.as_bytes(), flags)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            match entry?.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.push(name.to_vec()),
            }
        }
        Ok(names)
    }
}

impl Layer for Tree {
    fn open(&self, path: &TreePath) -> io::Result<Box<dyn Read + '_>> {
        let fd = Beneath::new(self.fd()).open(path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK)?;
        Ok(Box::new(is_regular(File::from(fd))?))
    }

    fn shown(&self, path: &TreePath) -> PathBuf {
        self.path().join(path)
    }
}

/// Files that are found by a path, with symbolic links followed as the programs do that use them.
pub trait Files {
    /// Returns the names in the directory at `path`, sorted, or `None` if something else is there.
    fn list(&self, path: &Path) -> Result<Option<Vec<Vec<u8>>>, TreeError>;

    /// Opens the regular file at `path`. Opening a fifo does not block.
    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, TreeError>;

    /// Returns the name of `path` for messages.
    fn shown(&self, path: &Path) -> PathBuf;
}
