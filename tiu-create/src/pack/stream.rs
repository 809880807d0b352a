//! One pass over the plan: headers and content into the squashfs writer, digests into the index, the index last.

use super::PackError;
use super::reader::{Piece, read_ahead};
use super::squash::Squash;
use super::tar::{self, Extent, Header};
use crate::plan::{Content, Item, Plan};
use crate::tree::{Node, Root, Span, TreeError};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::Receiver;
use tiu_bundle::content_digest::{ContentHasher, Digest, digest_bytes};
use tiu_bundle::index::{self, EntryBuf, INDEX_PATH, Index, IndexWriter, Kind, Mtime};
use tiu_bundle::progress::{Cancel, Progress, Unit};

/// Level of the compressed index: it is small, and decompression does not get slower.
const INDEX_LEVEL: i32 = 19;
/// Headers and small files are collected into writes of this size.
const BUFFER: usize = 256 * 1024;

/// Streams the plan's entries into `squash` and gives back the index, checked as a reader would.
pub fn stream(
    root: &Root,
    plan: &Plan,
    squash: Squash,
    created: i64,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Index, PackError> {
    progress.begin("Packing", plan.size, Unit::Bytes);
    let result = std::thread::scope(|scope| {
        let pieces = read_ahead(scope, root, plan);
        let mut stream = Stream { plan, out: BufWriter::with_capacity(BUFFER, squash), progress, cancel };
        match stream.run(&pieces, created) {
            Ok(index) => stream.finish().map(|()| index),
            // The writer ended early: what it said is the reason.
            Err(PackError::Stream(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
                let (squash, _) = stream.out.into_parts();
                squash.finish()?;
                Err(PackError::Stream(e))
            }
            Err(other) => Err(other),
        }
        // Dropping the receiver ends the reading thread.
    });
    progress.end();
    result
}

struct Stream<'a> {
    plan: &'a Plan,
    out: BufWriter<Squash>,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

impl Stream<'_> {
    fn run(&mut self, pieces: &Receiver<Piece>, created: i64) -> Result<Index, PackError> {
        let mut index = IndexWriter::default();
        for item in &self.plan.items {
            if self.cancel.is_cancelled() {
                return Err(PackError::Cancelled);
            }
            let digest = match item.content {
                Content::None if item.node.kind == Kind::Socket => None,
                Content::None => {
                    self.header(item, None)?;
                    None
                }
                Content::Generated(number) => {
                    let content =
                        self.plan.generated.get(number as usize).map(Vec::as_slice).unwrap_or_default();
                    self.header(item, None)?;
                    self.data(content)?;
                    self.write(tar::padding(content.len() as u64))?;
                    Some(digest_bytes(content))
                }
                Content::Tree(_) => Some(self.file(item, pieces)?),
            };
            index.push(self.entry(item, digest));
        }
        let index = Index::parse(index.finish())?;
        self.index(&index, created)?;
        self.write(&tar::END)?;
        Ok(index)
    }

    fn finish(self) -> Result<(), PackError> {
        let squash = self.out.into_inner().map_err(|e| PackError::Stream(e.into_error()))?;
        Ok(squash.finish()?)
    }

    /// A file of the tree; its content digest.
    fn file(&mut self, item: &Item, pieces: &Receiver<Piece>) -> Result<Digest, PackError> {
        let extents = match next(pieces)? {
            Piece::Begin(extents) => extents,
            _ => return Err(PackError::Reader),
        };
        self.header(item, extents.as_deref())?;
        let mut hasher = ContentHasher::new();
        let mut holes = Holes { extents: extents.as_deref().unwrap_or_default().iter(), ahead: 0 };
        let mut streamed = 0u64;
        loop {
            let data = match next(pieces)? {
                Piece::Data(data) => data,
                Piece::End => break,
                Piece::Begin(_) | Piece::Failed(_) => return Err(PackError::Reader),
            };
            if extents.is_some() {
                holes.before(data.len() as u64, &mut hasher);
            }
            hasher.update(&data);
            self.data(&data)?;
            streamed += data.len() as u64;
            if self.cancel.is_cancelled() {
                return Err(PackError::Cancelled);
            }
        }
        self.write(tar::padding(streamed))?;
        let hole = item.node.size.saturating_sub(hasher.size());
        hasher.update_zeros(hole);
        self.progress.advance(hole + (item.node.size - hole).saturating_sub(streamed));
        Ok(hasher.finalize())
    }

    fn header(&mut self, item: &Item, extents: Option<&[Extent]>) -> Result<(), PackError> {
        let mut block = Vec::with_capacity(2 * tar::BLOCK);
        let target = match self.link(item) {
            Some(first) => self.plan.path(first),
            None => item.node.target.map(|span| self.plan.tree.names.get(span)).unwrap_or_default(),
        };
        let xattrs = self.plan.tree.xattrs.get(item.node.xattrs);
        tar::header(&mut block, &Header { path: self.plan.path(item), item, target, xattrs, extents });
        self.write(&block)
    }

    /// The compressed index. It is not in the index itself.
    fn index(&mut self, index: &Index, created: i64) -> Result<(), PackError> {
        let mut compressed = Vec::new();
        index::write_zst(index.text(), INDEX_LEVEL, &mut compressed).map_err(PackError::Stream)?;
        let mut block = Vec::new();
        let node = Node {
            path: Span::default(),
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: compressed.len() as u64,
            mtime: Mtime { sec: created, nsec: 0 },
            xattrs: 0,
            target: None,
            inode: None,
        };
        let item = Item { node, content: Content::None, nlink: 1, link_to: None };
        let path = INDEX_PATH.as_bytes();
        tar::header(&mut block, &Header { path, item: &item, target: b"", xattrs: &[], extents: None });
        self.write(&block)?;
        self.write(&compressed)?;
        self.write(tar::padding(compressed.len() as u64))
    }

    fn data(&mut self, data: &[u8]) -> Result<(), PackError> {
        self.progress.advance(data.len() as u64);
        self.write(data)
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PackError> {
        self.out.write_all(data).map_err(PackError::Stream)
    }

    /// The item that a hard link names.
    fn link(&self, item: &Item) -> Option<&Item> {
        item.link_to.and_then(|first| self.plan.items.get(first as usize))
    }

    fn entry(&self, item: &Item, digest: Option<Digest>) -> EntryBuf {
        let own = |bytes: &[u8]| Cow::Owned(bytes.to_vec());
        let node = &item.node;
        let target = node.target.map(|span| self.plan.tree.names.get(span));
        let link = self.link(item).map(|first| self.plan.path(first));
        let xattrs = self.plan.tree.xattrs.get(node.xattrs);
        EntryBuf {
            path: own(self.plan.path(item)),
            kind: if link.is_some() { Kind::HardLink } else { node.kind },
            mode: u32::from(node.mode),
            nlink: item.nlink,
            uid: node.uid,
            gid: node.gid,
            rdev: node.rdev,
            mtime: node.mtime,
            size: match target {
                Some(target) => target.len() as u64,
                None => node.size,
            },
            target: link.or(target).map(own),
            digest,
            xattrs: xattrs.iter().map(|(name, value)| (own(name), own(value))).collect(),
        }
    }
}

/// Puts the zeros of a sparse file's holes into its digest.
struct Holes<'a> {
    extents: std::slice::Iter<'a, Extent>,
    /// Bytes of the current extent that are still to come.
    ahead: u64,
}

impl Holes<'_> {
    /// Called before each piece of `length` bytes: pieces never cross the end of an extent.
    fn before(&mut self, length: u64, hasher: &mut ContentHasher) {
        if self.ahead == 0
            && let Some(extent) = self.extents.next()
        {
            hasher.update_zeros(extent.offset.saturating_sub(hasher.size()));
            self.ahead = extent.length;
        }
        self.ahead = self.ahead.saturating_sub(length);
    }
}

fn next(pieces: &Receiver<Piece>) -> Result<Piece, PackError> {
    match pieces.recv() {
        Ok(Piece::Failed(TreeError::Cancelled)) => Err(PackError::Cancelled),
        Ok(Piece::Failed(error)) => Err(error.into()),
        Ok(piece) => Ok(piece),
        // The thread ends early only after it said why.
        Err(_) => Err(PackError::Reader),
    }
}
