//! Content digests of files that are there, on all cores.

use super::beneath;
use super::error::EngineError;
use super::pool;
use super::reach::Reach;
use super::rules::Lookup;
use super::tree::ScannedTree;
use super::xattr::{self, Xattrs};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tiu_bundle::content_digest::{ContentHasher, Digest};
use tiu_system::ioctl;
use tiu_system::progress::{Cancel, Progress, Unit};

/// Bytes that are read at once: small enough to stay in a core's cache until they are hashed.
const READ: usize = 256 * 1024;
/// Alignment of memory and offsets that reading past the page cache needs on any filesystem.
const ALIGN: usize = 4096;
/// Files below this size are read through the page cache in any case: on btrfs they mostly lie beside their metadata.
const DIRECT: u64 = 4096;
/// Files of this size and more come first, so that none of them is left for the end, when the other cores have nothing to do.
const BIG: u64 = 4 << 20;

/// How content is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caching {
    /// The page cache: what the kernel holds.
    PageCache,
    /// Past the page cache where the filesystem can: what the disk holds. The files of a fresh snapshot are in no cache, and those that the
    /// running system has there stay.
    Bypassed,
}

/// A file to hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashRequest {
    /// The file, in the tree.
    pub node: u32,
    /// The digest that it may have: when fs-verity says so, it is not read.
    pub expected: Option<Digest>,
    /// Whether its attributes are read, too, because the walk did not.
    pub attributes: bool,
}

/// What was found of a file.
struct HashedFile {
    node: u32,
    digest: Digest,
    xattrs: Option<Xattrs>,
}

/// Where and how to read.
pub(crate) struct Reading<'a> {
    /// Root of the tree.
    pub root: BorrowedFd<'a>,
    pub caching: Caching,
    pub rules: &'a Lookup<'a>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
}

impl Reading<'_> {
    /// Computes the digests of `files` of `tree` (and reads their attributes where wanted) and keeps them there. `phase` is shown if there are any.
    pub fn run(
        &self,
        phase: &str,
        tree: &mut ScannedTree,
        mut files: Vec<HashRequest>,
    ) -> Result<(), EngineError> {
        if files.is_empty() {
            return Ok(());
        }
        // An inode of many names is read once.
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
        self.progress.begin(phase, total, Unit::Bytes);
        let result = self.compute(tree, files);
        self.progress.end();
        result?;
        let digests = others.iter().filter_map(|(node, first)| Some((*node, tree.digest(*first)?)));
        tree.add_digests(digests.collect::<Vec<_>>());
        let xattrs = others.iter().filter_map(|(node, first)| Some((*node, tree.xattrs(*first)?.clone())));
        tree.add_xattrs(xattrs.collect::<Vec<_>>());
        Ok(())
    }

    fn compute(&self, tree: &mut ScannedTree, mut files: Vec<HashRequest>) -> Result<(), EngineError> {
        let size = |file: &HashRequest| tree.node(file.node).value;
        // Big ones first; the others in the order of the walk, in which neighbours lie together.
        files.sort_by_key(|file| (std::cmp::Reverse(size(file) / BIG), file.node));
        let jobs: Vec<&[HashRequest]> =
            files.chunk_by(|a, b| size(a) < BIG && size(b) < BIG).flat_map(|run| run.chunks(64)).collect();
        let found = pool::run(
            pool::readers(),
            &jobs,
            self.cancel,
            || (vec![0u8; READ + ALIGN], Vec::new()),
            |(buf, found), files| {
                for file in *files {
                    let path = tree.path(file.node);
                    let direct = self.caching == Caching::Bypassed && size(file) >= DIRECT;
                    let fd = open(self.root, &path, direct)?;
                    let node = tree.node(file.node);
                    let measured = match (node.verity, file.expected) {
                        (true, Some(expected)) => measured(fd.as_fd(), expected),
                        _ => None,
                    };
                    let digest = match measured {
                        Some(digest) => {
                            self.progress.advance(node.value);
                            digest
                        }
                        None => self.digest(fd.as_fd(), &path, node.value, buf)?,
                    };
                    let xattrs = match file.attributes {
                        true => Some(xattr::read(Reach::File(fd.as_fd()), self.rules, &path)?),
                        false => None,
                    };
                    found.push(HashedFile { node: file.node, digest, xattrs });
                }
                Ok(())
            },
        )?;
        let mut found: Vec<HashedFile> = found.into_iter().flat_map(|(_, found)| found).collect();
        tree.add_xattrs(found.iter_mut().filter_map(|found| Some((found.node, found.xattrs.take()?))));
        tree.add_digests(found.iter().map(|found| (found.node, found.digest)));
        Ok(())
    }

    /// Reads a file that had `size` bytes when it was looked at.
    fn digest(
        &self,
        file: BorrowedFd,
        path: &[u8],
        size: u64,
        buf: &mut [u8],
    ) -> Result<Digest, EngineError> {
        let start = buf.as_ptr().align_offset(ALIGN);
        let buf = buf.get_mut(start..).and_then(|buf| buf.get_mut(..READ)).unwrap_or_default();
        let mut hasher = ContentHasher::new();
        loop {
            self.cancel.check()?;
            // One byte more than there should be, rounded up: less than that read is the end. Not the whole buffer: past the page cache,
            // btrfs goes through all pages of it that it had no content for.
            let left = size.saturating_sub(hasher.size());
            let asked = usize::try_from(left / ALIGN as u64 * ALIGN as u64)
                .unwrap_or(READ)
                .saturating_add(ALIGN)
                .min(READ);
            match rustix::io::read(file, buf.get_mut(..asked).unwrap_or_default()) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(buf.get(..n).unwrap_or_default());
                    self.progress.advance(n as u64);
                    // Where it ended before, and what was read says that it still does: asking once more costs as much as a small file.
                    if n < asked && hasher.size() == size {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                // Past the cache, some filesystems refuse what others do through the cache by themselves.
                Err(Errno::INVAL)
                    if rustix::fs::fcntl_getfl(file).is_ok_and(|f| f.contains(OFlags::DIRECT)) =>
                {
                    rustix::fs::fcntl_setfl(file, OFlags::NONBLOCK)
                        .map_err(|e| EngineError::io("read", path, e))?;
                }
                Err(e) => return Err(EngineError::io("read", path, e)),
            }
        }
        Ok(hasher.finalize())
    }
}

fn open(root: BorrowedFd, path: &[u8], direct: bool) -> Result<OwnedFd, EngineError> {
    // Non-blocking, in case a fifo has taken the file's place.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = match direct {
        true => match beneath::open_quietly(root, path, flags | OFlags::DIRECT) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => beneath::open_quietly(root, path, flags),
            other => other,
        },
        false => beneath::open_quietly(root, path, flags),
    };
    file.map_err(|e| EngineError::io("open", path, e))
}

/// `expected`, if fs-verity says that the file has that content.
fn measured(file: BorrowedFd, expected: Digest) -> Option<Digest> {
    ioctl::measure_verity(file).ok().flatten().map(Digest).filter(|measured| *measured == expected)
}
