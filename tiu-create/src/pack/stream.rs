//! One pass through the plan. Headers and content go to the squashfs writer, digests to the index,
//! and the index is the last file.

use super::PackError;
use super::reader::{Piece, read_ahead};
use super::squash::Squash;
use super::tar::{self, Extent, Header};
use crate::lost_flags::{self, LostFlags};
use crate::plan::{ImagePlan, Item, ItemContent};
use crate::tree::{Root, ScanError, SourceNode, Span};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::Receiver;
use tiu_bundle::content_digest::{ContentHasher, Digest, digest_bytes};
use tiu_bundle::index::{Entry, EntryBuf, INDEX_PATH, IndexBuilder, Kind, Mtime};
use tiu_system::path::TreePath;
use tiu_system::progress::{Unit, Watch};

/// Level of the compressed index. Higher ones save little, because half of an index is digests, and
/// take seconds.
const INDEX_LEVEL: i32 = 9;
/// Headers and small files are collected into writes of this size.
const BUFFER: usize = 256 * 1024;

/// The index that is in the image.
pub struct Indexed {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// Number of entries.
    pub entries: u64,
    /// Bytes of content.
    pub size: u64,
    /// Bytes of its text.
    pub text_size: u64,
    /// Inode flags of the tree, which no index has.
    pub lost_flags: LostFlags,
}

/// Streams the plan's entries into `squash`, then the index, and waits for the image. The plan is
/// consumed: the memory of both limits the number of files.
pub fn stream(
    root: &Root,
    plan: ImagePlan,
    squash: Squash<'_>,
    created: i64,
    watch: Watch,
) -> Result<Indexed, PackError> {
    let mut out = BufWriter::with_capacity(BUFFER, squash);
    let result = watch.phase("Packing", plan.size, Unit::Bytes, || {
        let (entries, lost_flags) = std::thread::scope(|scope| {
            let pieces = read_ahead(scope, root, &plan);
            let lost_flags = of_directories(&plan);
            Stream { plan: &plan, out: &mut out, watch, lost_flags }.run(&pieces)
            // Dropping the receiver ends the reading thread.
        })?;
        drop(plan);
        let indexed = write_index(entries, lost_flags, created, &mut out)?;
        out.write_all(&tar::END).and_then(|()| out.flush()).map_err(PackError::Stream)?;
        Ok(indexed)
    });
    let (squash, _) = out.into_parts();
    match result {
        // A writer that takes no more data has reported the reason.
        Err(PackError::Stream(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
            squash.finish()?;
            Err(PackError::Stream(e))
        }
        Err(other) => Err(other),
        Ok(indexed) => {
            squash.finish()?;
            Ok(indexed)
        }
    }
}

/// Returns the inode flags of the directories that are in the image.
fn of_directories(plan: &ImagePlan) -> LostFlags {
    let mut lost = LostFlags::new();
    for (path, flags) in &plan.tree.directory_flags {
        if plan.find(path).is_some() {
            lost_flags::add(&mut lost, *flags, path, 0);
        }
    }
    lost
}

/// Writes the compressed index as the last file. It is not in the index itself.
fn write_index(
    entries: IndexBuilder,
    lost_flags: LostFlags,
    created: i64,
    out: &mut impl Write,
) -> Result<Indexed, PackError> {
    // What no client would read is not signed.
    let (index, digest) = entries.finish()?;
    let mut compressed = Vec::new();
    index.write_zst(INDEX_LEVEL, &mut compressed).map_err(PackError::Stream)?;
    let indexed = Indexed {
        digest,
        entries: index.len() as u64,
        size: index.content_size(),
        text_size: index.text_size(),
        lost_flags,
    };
    drop(index);
    let node = SourceNode {
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
    let item = Item { node, content: ItemContent::None, nlink: 1, link_to: None };
    let mut block = Vec::new();
    let path = INDEX_PATH.as_bytes();
    tar::header(&mut block, &Header { path, item: &item, target: b"", xattrs: &[], extents: None });
    out.write_all(&block)
        .and_then(|()| out.write_all(&compressed))
        .and_then(|()| out.write_all(tar::padding(compressed.len() as u64)))
        .map_err(PackError::Stream)?;
    Ok(indexed)
}

struct Stream<'a, W> {
    plan: &'a ImagePlan,
    out: &'a mut W,
    watch: Watch<'a>,
    lost_flags: LostFlags,
}

impl<W: Write> Stream<'_, W> {
    fn run(mut self, pieces: &Receiver<Piece>) -> Result<(IndexBuilder, LostFlags), PackError> {
        let mut index = IndexBuilder::default();
        // By number of the item, the inodes of which more names are to come, and how many.
        let mut inodes: HashMap<u32, (EntryBuf, u32)> = HashMap::new();
        for (number, item) in (0u32..).zip(&self.plan.items) {
            self.watch.check()?;
            let digest = match item.content {
                ItemContent::None if item.node.kind == Kind::Socket => None,
                ItemContent::None => {
                    self.header(item, None)?;
                    None
                }
                ItemContent::Generated(number) => {
                    let content =
                        self.plan.generated.get(number as usize).map(Vec::as_slice).unwrap_or_default();
                    self.header(item, None)?;
                    self.data(content)?;
                    self.write(tar::padding(content.len() as u64))?;
                    Some(digest_bytes(content))
                }
                ItemContent::Tree(_) => Some(self.file(item, pieces)?),
            };
            match item.link_to {
                None => {
                    let entry = self.entry(item, digest);
                    index.push(&entry)?;
                    if item.nlink > 1 {
                        inodes.insert(number, (entry.into_owned(), item.nlink - 1));
                    }
                }
                Some(first) => {
                    let Some((inode, left)) = inodes.get_mut(&first) else { return Err(PackError::Reader) };
                    index.link(self.path(item), inode)?;
                    *left -= 1;
                    if *left == 0 {
                        inodes.remove(&first);
                    }
                }
            }
        }
        Ok((index, self.lost_flags))
    }

    /// Streams a file of the tree and returns its content digest.
    fn file(&mut self, item: &Item, pieces: &Receiver<Piece>) -> Result<Digest, PackError> {
        let (extents, flags) = match next(pieces)? {
            Piece::Begin { extents, flags } => (extents, flags),
            _ => return Err(PackError::Reader),
        };
        lost_flags::add(&mut self.lost_flags, flags, self.plan.path(item), item.node.size);
        self.header(item, extents.as_deref())?;
        let mut hasher = ContentHasher::new();
        let mut holes = Holes { extents: extents.as_deref().unwrap_or_default().iter(), ahead: 0 };
        let mut streamed = 0u64;
        loop {
            let data = match next(pieces)? {
                Piece::Data(data) => data,
                Piece::End => break,
                Piece::Begin { .. } | Piece::Failed(_) => return Err(PackError::Reader),
            };
            if extents.is_some() {
                holes.before(data.len() as u64, &mut hasher);
            }
            hasher.update(&data);
            self.data(&data)?;
            streamed += data.len() as u64;
            self.watch.check()?;
        }
        self.write(tar::padding(streamed))?;
        let hole = item.node.size.saturating_sub(hasher.size());
        hasher.update_zeros(hole);
        self.watch.advance(hole + (item.node.size - hole).saturating_sub(streamed));
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

    fn data(&mut self, data: &[u8]) -> Result<(), PackError> {
        self.watch.advance(data.len() as u64);
        self.write(data)
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PackError> {
        self.out.write_all(data).map_err(PackError::Stream)
    }

    /// Returns the item that a hard link names.
    fn link(&self, item: &Item) -> Option<&Item> {
        item.link_to.and_then(|first| self.plan.items.get(first as usize))
    }

    fn path(&self, item: &Item) -> &TreePath {
        // The plan's paths are those of a tree: names of the kernel, and constants.
        TreePath::new(self.plan.path(item)).unwrap_or_default()
    }

    /// Returns the entry of an item that is not another name of an earlier one.
    fn entry(&self, item: &Item, digest: Option<Digest>) -> Entry<'_> {
        let node = &item.node;
        let target = node.target.map(|span| self.plan.tree.names.get(span));
        let xattrs = self.plan.tree.xattrs.get(node.xattrs).iter();
        Entry {
            path: Cow::Borrowed(self.path(item)),
            kind: node.kind,
            mode: u32::from(node.mode),
            nlink: item.nlink,
            uid: node.uid,
            gid: node.gid,
            rdev: node.rdev,
            mtime: node.mtime,
            size: target.map_or(node.size, |target| target.len() as u64),
            target: target.map(Cow::Borrowed),
            link: None,
            digest,
            xattrs: xattrs.map(|(name, value)| (name.as_slice().into(), value.as_slice().into())).collect(),
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
        Ok(Piece::Failed(ScanError::Cancelled(cancelled))) => Err(cancelled.into()),
        Ok(Piece::Failed(error)) => Err(error.into()),
        Ok(piece) => Ok(piece),
        // The thread ends early only after it reported the reason.
        Err(_) => Err(PackError::Reader),
    }
}
