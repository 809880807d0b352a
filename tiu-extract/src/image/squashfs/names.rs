//! All names of an image.
//!
//! Directories are walked and checked once, with a list instead of recursion, and nothing of them
//! is kept. A directory is read again when a path in it is wanted. The ones that were used last
//! stay in memory, with their names sorted, so finding a path takes one binary search for each
//! component. Files are asked for in the order of their paths or of their content, which both keep
//! neighbours together.

use super::block::{StoredBlock, malformed};
use super::cache::Cache;
use super::inode::{FileInode, kind, listing};
use super::metadata::Metadata;
use super::superblock::Superblock;
use crate::image::error::ImageError;
use std::collections::HashSet;
use std::sync::Arc;
use tiu_bundle::index::{MAX_ENTRIES, MIN_LINE_SIZE};
use tiu_system::path::TreePath;

/// The most entries after one header of a directory.
const MAX_COUNT: u32 = 256;
/// The longest name in bytes.
const MAX_NAME: u16 = 256;
/// The number of directories that stay in memory.
const CACHED: usize = 64;

/// The names of an image, which were checked.
pub struct Names {
    /// By reference to their inode, the directories that were used last.
    directories: Cache<Directory>,
}

/// The names in one directory, sorted.
#[derive(Default)]
struct Directory {
    names: Vec<u8>,
    children: Vec<Child>,
}

struct Child {
    name: usize,
    length: u16,
    kind: u16,
    inode: u64,
}

/// Names so far, and their bytes.
#[derive(Clone, Copy, Default)]
struct Total {
    names: u64,
    bytes: u64,
}

impl Names {
    /// Reads and checks the names of all directories, and the inodes of all regular files.
    pub fn check(
        metadata: &Metadata,
        superblock: &Superblock,
        fragments: &[StoredBlock],
    ) -> Result<Self, ImageError> {
        let mut total = Total { names: 1, bytes: 0 };
        // A directory has one name. A second one would make a loop, or a walk without end.
        let mut seen = HashSet::from([superblock.root]);
        let mut pending = vec![superblock.root];
        while let Some(reference) = pending.pop() {
            let directory = Directory::read(metadata, superblock, reference, total)?;
            total.names += directory.children.len() as u64;
            total.bytes += directory.names.len() as u64;
            for child in &directory.children {
                match child.kind {
                    kind::DIRECTORY => {
                        if !seen.insert(child.inode) || seen.len() as u64 > superblock.inodes {
                            return Err(malformed(format!("directory {:#x} has two names", child.inode)));
                        }
                        pending.push(child.inode);
                    }
                    kind::FILE => drop(position(metadata, superblock, fragments, child.inode)?),
                    _ => {}
                }
            }
        }
        Ok(Names { directories: Cache::new(CACHED) })
    }

    fn directory(
        &self,
        metadata: &Metadata,
        superblock: &Superblock,
        reference: u64,
    ) -> Result<Arc<Directory>, ImageError> {
        let read = || Directory::read(metadata, superblock, reference, Total::default());
        self.directories.get(reference, read)
    }

    /// Returns the reference to the inode of the regular file at `path`, for `FileInode::read`.
    pub fn find(
        &self,
        metadata: &Metadata,
        superblock: &Superblock,
        path: &TreePath,
    ) -> Result<Option<u64>, ImageError> {
        let (mut found, mut inode) = (kind::DIRECTORY, superblock.root);
        for component in path.components() {
            if found != kind::DIRECTORY {
                return Ok(None);
            }
            let directory = self.directory(metadata, superblock, inode)?;
            let Some(child) = directory.find(component) else { return Ok(None) };
            (found, inode) = (child.kind, child.inode);
        }
        Ok((found == kind::FILE).then_some(inode))
    }

    /// Calls `each` with every path of every regular file.
    pub fn for_each_file(
        &self,
        metadata: &Metadata,
        superblock: &Superblock,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), ImageError> {
        let mut pending = vec![(superblock.root, Vec::new())];
        while let Some((reference, path)) = pending.pop() {
            let directory = self.directory(metadata, superblock, reference)?;
            for child in &directory.children {
                let mut path: Vec<u8> = path.clone();
                if reference != superblock.root {
                    path.push(b'/');
                }
                path.extend_from_slice(directory.name(child));
                match child.kind {
                    kind::DIRECTORY => pending.push((child.inode, path)),
                    kind::FILE => each(&path),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Directory {
    /// Reads the directory `reference`. `total` is what other directories have.
    fn read(
        metadata: &Metadata,
        superblock: &Superblock,
        reference: u64,
        total: Total,
    ) -> Result<Self, ImageError> {
        let mut directory = Directory::default();
        let Some((mut cursor, size)) = listing(metadata, superblock, reference)? else {
            return Ok(directory);
        };
        let mut left = size;
        let mut take = |bytes: u32| match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                Ok(rest > 0)
            }
            None => Err(malformed(format!("a directory's entries do not end at its size of {size} bytes"))),
        };
        loop {
            take(12)?;
            let (count, block) = (cursor.u32()?, cursor.u32()?);
            cursor.skip::<4>()?; // number of the first inode
            if count >= MAX_COUNT {
                return Err(malformed(format!(
                    "a directory's header has {count} more entries, expected less than {MAX_COUNT}"
                )));
            }
            let mut more = true;
            for _ in 0..=count {
                take(8)?;
                let offset = cursor.u16()?;
                cursor.skip::<2>()?; // number of the inode, less the first's
                let (kind, length) = (cursor.u16()?, cursor.u16()?.saturating_add(1));
                more = take(u32::from(length))?;
                if length > MAX_NAME || !(kind::DIRECTORY..=kind::LAST).contains(&kind) {
                    return Err(malformed(format!(
                        "a name of {length} bytes for an inode of kind {kind}, expected at most {MAX_NAME} bytes and a basic kind"
                    )));
                }
                let name = directory.names.len();
                directory.names.resize(name + usize::from(length), 0);
                let bytes = directory.names.get_mut(name..).unwrap_or_default();
                cursor.read(bytes)?;
                if matches!(&*bytes, b"." | b"..") || bytes.iter().any(|byte| matches!(byte, 0 | b'/')) {
                    return Err(malformed(format!("a file is named {:?}", String::from_utf8_lossy(bytes))));
                }
                directory.children.push(Child {
                    name,
                    length,
                    kind,
                    inode: u64::from(block) << 16 | u64::from(offset),
                });
            }
            // Each name has its line in the index.
            let count = total.names + directory.children.len() as u64;
            let (bytes, limit) = (total.bytes + directory.names.len() as u64, superblock.index_limit);
            let text = count.saturating_mul(MIN_LINE_SIZE - 1).saturating_add(bytes);
            if count > MAX_ENTRIES || text > limit {
                return Err(malformed(format!(
                    "{count} names of {bytes} bytes, more than an index of at most {limit} bytes can list"
                )));
            }
            if !more {
                break;
            }
        }
        directory.sort()?;
        Ok(directory)
    }

    /// Sorts the names, which all differ.
    fn sort(&mut self) -> Result<(), ImageError> {
        let mut children = std::mem::take(&mut self.children);
        let name = |child: &Child| self.name(child);
        if !children.is_sorted_by_key(name) {
            children.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        }
        for pair in children.windows(2) {
            if let [a, b] = pair
                && name(a) == name(b)
            {
                return Err(malformed(format!(
                    "a directory has two files named {:?}",
                    String::from_utf8_lossy(name(a))
                )));
            }
        }
        self.children = children;
        Ok(())
    }

    fn name(&self, child: &Child) -> &[u8] {
        self.names.get(child.name..child.name + usize::from(child.length)).unwrap_or_default()
    }

    fn find(&self, name: &[u8]) -> Option<&Child> {
        let at = self.children.binary_search_by(|child| self.name(child).cmp(name)).ok()?;
        self.children.get(at)
    }
}

/// Returns the offset in the image of the content of the regular file with this inode, in bytes: of
/// its first block, or of the fragment that holds all of it.
pub fn position(
    metadata: &Metadata,
    superblock: &Superblock,
    fragments: &[StoredBlock],
    inode: u64,
) -> Result<u64, ImageError> {
    let (file, _) = FileInode::read(metadata, superblock, inode)?;
    let fragment = match file.tail {
        None => None,
        Some((number, _)) => Some(fragments.get(number as usize).ok_or_else(|| {
            malformed(format!("inode {inode:#x} is in fragment {number} of {}", fragments.len()))
        })?),
    };
    Ok(match fragment {
        Some(fragment) if file.blocks == 0 => fragment.start,
        _ => file.start,
    })
}
