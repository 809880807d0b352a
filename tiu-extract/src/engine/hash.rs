//! Content digests of files that are there, on all cores.

use super::beneath;
use super::error::EngineError;
use super::pool;
use super::tree::Tree;
use crate::ioctl;
use rustix::fs::{Advice, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use tiu_bundle::content_digest::{ContentHasher, Digest};
use tiu_bundle::progress::{Cancel, Progress, Unit};

/// Bytes that are read at once: small enough to stay in a core's cache until they are hashed.
const READ: usize = 256 * 1024;
/// Files of this size and more come first, so that none of them is left for the end, when the other cores have nothing to do.
const BIG: u64 = 4 << 20;

/// A file to hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The file, in the tree.
    pub node: u32,
    /// The digest that it may have: when fs-verity says so, it is not read.
    pub expected: Option<Digest>,
}

/// Computes the digests of `files` of `tree` and keeps them there. `phase` is shown if there are any.
pub(crate) fn run(
    phase: &str,
    root: BorrowedFd,
    tree: &mut Tree,
    mut files: Vec<Wanted>,
    progress: &dyn Progress,
    cancel: &Cancel,
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
    progress.begin(phase, total, Unit::Bytes);
    let result = compute(root, tree, files, progress, cancel);
    progress.end();
    result?;
    for (node, first) in others {
        if let Some(digest) = tree.digest(first) {
            tree.set_digest(node, digest);
        }
    }
    Ok(())
}

fn compute(
    root: BorrowedFd,
    tree: &mut Tree,
    mut files: Vec<Wanted>,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let size = |file: &Wanted| tree.node(file.node).value;
    // Big ones first; the others in the order of the walk, in which neighbours lie together.
    files.sort_by_key(|file| (std::cmp::Reverse(size(file) / BIG), file.node));
    let jobs: Vec<&[Wanted]> =
        files.chunk_by(|a, b| size(a) < BIG && size(b) < BIG).flat_map(|run| run.chunks(64)).collect();
    let digests = pool::run(
        &jobs,
        cancel,
        || (vec![0u8; READ], Vec::new()),
        |(buf, digests), files| {
            for file in *files {
                let path = tree.path(file.node);
                let digest = digest(root, &path, file.expected, buf, progress, cancel)?;
                digests.push((file.node, digest));
            }
            Ok(())
        },
    )?;
    for (node, digest) in digests.into_iter().flat_map(|(_, digests)| digests) {
        tree.set_digest(node, digest);
    }
    Ok(())
}

fn digest(
    root: BorrowedFd,
    path: &[u8],
    expected: Option<Digest>,
    buf: &mut [u8],
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Digest, EngineError> {
    // Non-blocking, in case a fifo has taken the file's place.
    let file = beneath::open_quietly(root, path, OFlags::RDONLY | OFlags::NONBLOCK)
        .map_err(|e| EngineError::io("open", path, e))?;
    if let Some(expected) = expected
        && let Ok(Some(measured)) = ioctl::measure_verity(file.as_fd())
        && measured == expected
    {
        progress.advance(rustix::fs::fstat(&file).map_or(0, |stat| stat.st_size as u64));
        return Ok(measured);
    }
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    let mut hasher = ContentHasher::new();
    loop {
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        match rustix::io::read(&file, &mut *buf) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(buf.get(..n).unwrap_or_default());
                progress.advance(n as u64);
            }
            Err(Errno::INTR) => {}
            Err(e) => return Err(EngineError::io("read", path, e)),
        }
    }
    Ok(hasher.finalize())
}
