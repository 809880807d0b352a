//! Content digests of existing files, computed on all cores.

use super::beneath;
use super::error::EngineError;
use super::pool;
use super::reach::Reach;
use super::rules::Lookup;
use super::tree::ScannedTree;
use super::unreadable::{Part, Unreadable, is_damage, probe_extents};
use super::xattr::{self, XattrSet};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tiu_bundle::content_digest::{ContentHasher, Digest};
use tiu_system::progress::{Unit, Watch};

/// Bytes to read at once: few enough to stay in a core's cache until they are hashed.
const READ: usize = 256 * 1024;
/// Alignment of memory and offsets, in bytes, that direct reads need on any filesystem.
const ALIGN: usize = 4096;
/// Files below this size in bytes are always read through the page cache: btrfs stores most of them
/// next to their metadata.
const DIRECT: u64 = 4096;
/// Files of this size in bytes and more come first, so that none is left for the end, when the
/// other cores are idle.
const BIG: u64 = 4 << 20;

/// The use of the page cache when content is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Reads through the page cache: what the kernel holds.
    PageCache,
    /// Bypasses the page cache where the filesystem can: reads what the disk holds. The files of a
    /// fresh snapshot are in no cache, and the files of the running system are not pushed out of
    /// it.
    Bypassed,
}

/// A file to hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashRequest {
    /// The file's node in the tree.
    pub node: u32,
    /// True if its extended attributes are to be read too, because the walk left them.
    pub attributes: bool,
}

/// A file that was read, as far as that was possible.
pub(crate) struct HashedFile {
    node: u32,
    pub digest: Option<Digest>,
    pub xattrs: Option<XattrSet>,
    pub unreadable: Vec<Unreadable>,
}

/// The place of a file: a directory, the path of the file in it, and the path in the tree.
pub(crate) struct FilePlace<'a> {
    pub directory: BorrowedFd<'a>,
    pub name: &'a [u8],
    pub path: &'a [u8],
}

/// The tree to read from, and how.
pub(crate) struct Reading<'a> {
    /// The root of the tree.
    pub root: BorrowedFd<'a>,
    pub caching: Caching,
    pub rules: &'a Lookup<'a>,
    pub watch: Watch<'a>,
}

impl Reading<'_> {
    /// Computes the digests of `files` of `tree`, reads their attributes where requested, and
    /// stores both in `tree`, or that they cannot be read. The work is one phase named `phase`;
    /// without files there is none.
    pub fn run(
        &self,
        phase: &str,
        tree: &mut ScannedTree,
        mut files: Vec<HashRequest>,
    ) -> Result<(), EngineError> {
        if files.is_empty() {
            return Ok(());
        }
        // An inode with many names is read once.
        let mut first_name: HashMap<u64, u32> = HashMap::new();
        let mut others: Vec<(u32, u32)> = Vec::new();
        files.retain(|file| {
            let node = tree.node(file.node);
            let first = match node.nlink {
                0 | 1 => file.node,
                _ => *first_name.entry(node.ino).or_insert(file.node),
            };
            if first != file.node {
                others.push((file.node, first));
            }
            first == file.node
        });
        let total = files.iter().map(|file| tree.node(file.node).value).fold(0, u64::saturating_add);
        self.watch.phase(phase, total, Unit::Bytes, || self.compute(tree, files))?;
        let unreadable = others
            .iter()
            .flat_map(|(node, first)| tree.unreadable(*first).iter().map(|unreadable| (*node, *unreadable)));
        tree.add_unreadable(unreadable.collect::<Vec<_>>());
        let digests = others.iter().filter_map(|(node, first)| Some((*node, tree.digest(*first)?)));
        tree.add_digests(digests.collect::<Vec<_>>());
        let xattrs = others.iter().filter_map(|(node, first)| Some((*node, tree.xattrs(*first)?.clone())));
        tree.add_xattrs(xattrs.collect::<Vec<_>>());
        Ok(())
    }

    fn compute(&self, tree: &mut ScannedTree, mut files: Vec<HashRequest>) -> Result<(), EngineError> {
        let size = |file: &HashRequest| tree.node(file.node).value;
        // Big files first; the others in the order of the walk, which keeps neighbours together.
        files.sort_by_key(|file| (std::cmp::Reverse(size(file) / BIG), file.node));
        let jobs: Vec<&[HashRequest]> =
            files.chunk_by(|a, b| size(a) < BIG && size(b) < BIG).flat_map(|run| run.chunks(64)).collect();
        let found = pool::run(
            pool::readers(),
            &jobs,
            self.watch.cancel(),
            || (Vec::new(), Vec::new()),
            |(buf, found), files| {
                for file in *files {
                    let path = tree.path(file.node);
                    let place = FilePlace { directory: self.root, name: &path, path: &path };
                    found.push(self.file(file, &place, size(file), buf)?);
                }
                Ok(())
            },
        )?;
        let mut found: Vec<HashedFile> = found.into_iter().flat_map(|(_, found)| found).collect();
        tree.add_xattrs(found.iter_mut().filter_map(|found| Some((found.node, found.xattrs.take()?))));
        tree.add_digests(found.iter().filter_map(|found| Some((found.node, found.digest?))));
        let unreadable = |found: HashedFile| found.unreadable.into_iter().map(move |part| (found.node, part));
        tree.add_unreadable(found.into_iter().flat_map(unreadable));
        Ok(())
    }

    /// Reads one file, which had `size` bytes when it was scanned. `buf` is memory that is used
    /// again.
    pub fn file(
        &self,
        file: &HashRequest,
        place: &FilePlace,
        size: u64,
        buf: &mut Vec<u8>,
    ) -> Result<HashedFile, EngineError> {
        let FilePlace { directory, name, path } = *place;
        buf.resize(READ + ALIGN, 0);
        let mut found = HashedFile { node: file.node, digest: None, xattrs: None, unreadable: Vec::new() };
        let direct = self.caching == Caching::Bypassed && size >= DIRECT;
        let fd = match open(directory, name, direct) {
            Ok(fd) => fd,
            Err(e) if is_damage(e) => {
                found.unreadable.push(Unreadable::new(Part::Inode, path, e)?);
                return Ok(found);
            }
            Err(e) => return Err(EngineError::io("open", path, e)),
        };
        // The content is read even where the kernel has its digest (fs-verity): that is no proof
        // that the blocks can still be read.
        match self.digest(fd.as_fd(), path, size, buf)? {
            Ok(digest) => found.digest = Some(digest),
            Err(e) => {
                let part = probe_extents(fd.as_fd()).map_or(Part::FileContent, |_| Part::Extents);
                found.unreadable.push(Unreadable::new(part, path, e)?);
            }
        }
        if file.attributes {
            match xattr::read(Reach::File(fd.as_fd()), self.rules) {
                Ok(xattrs) => found.xattrs = Some(xattrs),
                Err(e) => found.unreadable.push(Unreadable::new(Part::Attributes, path, e)?),
            }
        }
        Ok(found)
    }

    /// Looks for damage in the metadata of `files` without reading their content.
    pub fn probe(&self, tree: &mut ScannedTree, files: &[u32]) -> Result<(), EngineError> {
        let jobs: Vec<&[u32]> = files.chunks(64).collect();
        let probe = |found: &mut Vec<(u32, Unreadable)>, files: &&[u32]| -> Result<(), EngineError> {
            for node in *files {
                let path = tree.path(*node);
                let (part, error) = match open(self.root, &path, false) {
                    Ok(fd) => {
                        match (probe_extents(fd.as_fd()), xattr::read(Reach::File(fd.as_fd()), self.rules)) {
                            (Some(error), _) => (Part::Extents, error),
                            (None, Err(error)) => (Part::Attributes, error),
                            (None, Ok(_)) => continue,
                        }
                    }
                    // Removed since the walk.
                    Err(Errno::NOENT) => continue,
                    Err(error) => (Part::Inode, error),
                };
                found.push((*node, Unreadable::new(part, &path, error)?));
            }
            Ok(())
        };
        let found = pool::run(pool::readers(), &jobs, self.watch.cancel(), Vec::new, probe)?;
        tree.add_unreadable(found.into_iter().flatten());
        Ok(())
    }

    /// Reads a file that had `size` bytes when it was scanned. Returns its digest, or the error if
    /// the filesystem cannot read its content.
    fn digest(
        &self,
        file: BorrowedFd,
        path: &[u8],
        size: u64,
        buf: &mut [u8],
    ) -> Result<Result<Digest, Errno>, EngineError> {
        let start = buf.as_ptr().align_offset(ALIGN);
        let buf = buf.get_mut(start..).and_then(|buf| buf.get_mut(..READ)).unwrap_or_default();
        let mut hasher = ContentHasher::new();
        loop {
            self.watch.check()?;
            // Requests one byte more than should be left, rounded up: a shorter read is the end of
            // the file. Not the whole buffer: in a direct read, btrfs walks all pages of it that it
            // has no content for.
            let left = size.saturating_sub(hasher.size());
            let requested = usize::try_from(left / ALIGN as u64 * ALIGN as u64)
                .unwrap_or(READ)
                .saturating_add(ALIGN)
                .min(READ);
            match rustix::io::read(file, buf.get_mut(..requested).unwrap_or_default()) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(buf.get(..n).unwrap_or_default());
                    self.watch.advance(n as u64);
                    // A short read at the size that was scanned: another read would cost as much as
                    // a small file.
                    if n < requested && hasher.size() == size {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                // Some filesystems refuse a direct read that others do through the cache instead.
                Err(Errno::INVAL)
                    if rustix::fs::fcntl_getfl(file).is_ok_and(|f| f.contains(OFlags::DIRECT)) =>
                {
                    rustix::fs::fcntl_setfl(file, OFlags::NONBLOCK)
                        .map_err(|e| EngineError::io("read", path, e))?;
                }
                Err(e) if is_damage(e) => return Ok(Err(e)),
                Err(e) => return Err(EngineError::io("read", path, e)),
            }
        }
        Ok(Ok(hasher.finalize()))
    }
}

fn open(root: BorrowedFd, path: &[u8], direct: bool) -> Result<OwnedFd, Errno> {
    // Non-blocking, because a fifo may have replaced the file.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    if direct {
        match beneath::open_quietly(root, path, flags | OFlags::DIRECT) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => beneath::open_quietly(root, path, flags),
            other => other,
        }
    } else {
        beneath::open_quietly(root, path, flags)
    }
}
