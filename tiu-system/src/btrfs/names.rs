//! The paths of inodes.

use super::items::{kind, references};
use super::search::{self, ROOT};
use crate::ioctl::TreeKey;
use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;

/// The deepest directory that is followed.
const MAX_DEPTH: usize = 100_000;

/// Finds the paths of inodes of a subvolume. Remembers those of directories.
pub struct Names<'a> {
    root: BorrowedFd<'a>,
    directories: HashMap<u64, Option<Vec<u8>>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Names { root, directories: HashMap::from([(ROOT, Some(Vec::new()))]) }
    }

    /// Returns all paths of an inode, relative to the root of the subvolume, which has the empty
    /// path. An inode that has no name, because it was removed while it was open, has none.
    pub fn paths(&mut self, inode: u64) -> io::Result<Vec<Vec<u8>>> {
        if inode == ROOT {
            return Ok(vec![Vec::new()]);
        }
        let mut paths = Vec::new();
        for (directory, name) in self.references(inode)? {
            if let Some(directory) = self.directory(directory)? {
                paths.push(join(&directory, &name));
            }
        }
        Ok(paths)
    }

    /// Returns the path of a directory, or `None` if it has none.
    pub fn directory(&mut self, inode: u64) -> io::Result<Option<Vec<u8>>> {
        // From the directory up to one that is known.
        let mut names: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut at = inode;
        let known = loop {
            if let Some(known) = self.directories.get(&at) {
                break known.clone();
            }
            if names.len() > MAX_DEPTH {
                return Err(io::Error::other("the directories of a btrfs tree form a circle"));
            }
            match self.references(at)?.into_iter().next() {
                Some((directory, name)) => {
                    names.push((at, name));
                    at = directory;
                }
                None => {
                    self.directories.insert(at, None);
                    break None;
                }
            }
        };
        let mut path = known;
        for (inode, name) in names.into_iter().rev() {
            path = path.map(|path| join(&path, &name));
            self.directories.insert(inode, path.clone());
        }
        Ok(path)
    }

    /// Returns the directories and names of an inode.
    fn references(&self, inode: u64) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let first = TreeKey { object: inode, kind: kind::INODE_REF, offset: 0 };
        let last = TreeKey { object: inode, kind: kind::INODE_EXTREF, offset: u64::MAX };
        let mut found = Vec::new();
        search::visit(self.root, 0, first, last, 0, |item| {
            found.extend(references(item)?.into_iter().map(|found| (found.directory, found.name.to_vec())));
            Ok(())
        })?;
        Ok(found)
    }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match directory {
        [] => name.to_vec(),
        directory => [directory, b"/", name].concat(),
    }
}
