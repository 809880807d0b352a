//! A run of lines, compressed.
//!
//! Half of an index consists of content digests, which do not compress. A block holds them
//! separately, as bytes; the rest of a line is as in the text, with [`MARK`] in the place of the
//! digest and of the payload that follows from it.

use super::Entry;
use super::limits::MAX_LINE_SIZE;
use super::line::{Fields, MARK};
use crate::content_digest::Digest;
use std::cell::RefCell;
use std::cmp::Ordering;

/// Level of the compression. Higher ones save a few percent.
const LEVEL: i32 = 3;
/// Size in bytes from which a block ends where the path of the next line says so.
const SMALLEST: usize = 8 << 10;
/// Size in bytes from which a block ends in any case.
const LARGEST: usize = 64 << 10;
/// Of so many paths, one says that a block ends before it.
const CUT: u32 = 128;

/// Lines of an index, compressed. Equal lines make an equal block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Path of the first line, as in the tree.
    pub first: Box<[u8]>,
    text: Box<[u8]>,
    /// Size of the text when it is open.
    open_size: u32,
    pub digests: Box<[Digest]>,
    /// True if a line is a hard link.
    pub has_links: bool,
}

/// The lines of a block, decompressed.
pub(super) struct OpenBlock {
    text: Vec<u8>,
    lines: Vec<LineStart>,
    digests: Vec<Digest>,
}

#[derive(Clone, Copy)]
struct LineStart {
    /// Offset in the text.
    at: u32,
    /// Number of the line's digest, if it has one.
    digest: u32,
}

impl Block {
    /// Returns the lines.
    pub fn open(&self) -> OpenBlock {
        thread_local! {
            static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
        }
        let size = self.open_size as usize;
        let text = DECOMPRESSOR.with_borrow_mut(|decompressor| {
            if decompressor.is_none() {
                *decompressor = zstd::bulk::Decompressor::new().ok();
            }
            decompressor.as_mut().and_then(|decompressor| decompressor.decompress(&self.text, size).ok())
        });
        match text {
            Some(text) if text.len() == size => OpenBlock::new(text, self.digests.to_vec()),
            _ => unreachable!("a block of {size} bytes was compressed by this process"),
        }
    }

    /// Returns the bytes that the block takes.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        size_of::<Self>() + self.first.len() + self.text.len() + size_of_val(&*self.digests)
    }
}

impl OpenBlock {
    fn new(text: Vec<u8>, digests: Vec<Digest>) -> Self {
        let mut lines = Vec::new();
        let (mut at, mut digest) = (0, 0);
        for line in text.split_inclusive(|c| *c == b'\n') {
            lines.push(LineStart { at, digest });
            at += line.len() as u32;
            digest += u32::from(line.contains(&MARK));
        }
        OpenBlock { text, lines, digests }
    }

    /// Returns the number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns line `i` without its newline, and its digest if that is not in the line.
    pub fn line(&self, i: usize) -> Option<(&[u8], Option<Digest>)> {
        let LineStart { at, digest } = *self.lines.get(i)?;
        let end = self.lines.get(i + 1).map_or(self.text.len(), |next| next.at as usize);
        let line = self.text.get(at as usize..end)?.strip_suffix(b"\n")?;
        let next = self.lines.get(i + 1).map_or(self.digests.len(), |next| next.digest as usize);
        let digest = if next > digest as usize { self.digests.get(digest as usize).copied() } else { None };
        Some((line, digest))
    }

    /// Returns the entry of line `i`, which was checked before it came into a block.
    pub fn entry(&self, i: usize) -> Option<Entry<'static>> {
        let (line, digest) = self.line(i)?;
        match Fields::split(line).and_then(|fields| fields.stored(digest)) {
            Ok(entry) => Some(entry.into_owned()),
            Err(e) => unreachable!("line {} of a block was checked before: {e}", i + 1),
        }
    }

    /// Returns the number of the first line whose path is not before `path`, and true if it is
    /// `path`.
    pub fn search(&self, path: &[u8]) -> (usize, bool) {
        match self.lines.binary_search_by(|line| compare(self.text.get(line.at as usize..), path)) {
            Ok(at) => (at, true),
            Err(at) => (at, false),
        }
    }

    /// Appends line `i` as it is in the index, with its newline.
    pub fn write_line(&self, i: usize, out: &mut Vec<u8>) {
        let Some((line, digest)) = self.line(i) else { return };
        match digest.and_then(|digest| Some((Fields::split(line).ok()?, digest))) {
            Some((fields, digest)) => fields.write_with_digest(line, digest, out),
            None => out.extend_from_slice(line),
        }
        out.push(b'\n');
    }
}

/// Compares the path of a line with one that is not escaped.
fn compare(line: Option<&[u8]>, path: &[u8]) -> Ordering {
    use super::escape::Unescaped;
    let line = line.unwrap_or_default();
    let end = line.iter().position(|c| *c == b' ').unwrap_or(line.len());
    let escaped = line.get(1..end).unwrap_or_default();
    if escaped.contains(&b'\\') { Unescaped(escaped).cmp(path.iter().copied()) } else { escaped.cmp(path) }
}

/// Collects lines into blocks.
///
/// A block ends before a path whose hash says so. Where a part of two indexes is equal, their
/// blocks are therefore equal too, except at the edges of the part.
pub(super) struct BlockBuilder {
    first: Vec<u8>,
    text: Vec<u8>,
    digests: Vec<Digest>,
    has_links: bool,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl BlockBuilder {
    pub fn new() -> Self {
        BlockBuilder {
            first: Vec::new(),
            text: Vec::new(),
            digests: Vec::new(),
            has_links: false,
            compressor: None,
        }
    }

    /// Adds a line, which was checked, with its path and the digest that its text has. Returns the
    /// block before it, if that is complete.
    pub fn push(&mut self, path: &[u8], line: &[u8], fields: &Fields) -> Option<Block> {
        let is_end =
            self.text.len() >= LARGEST || (self.text.len() >= SMALLEST && hash(path).is_multiple_of(CUT));
        let block = if is_end { self.take() } else { None };
        if self.text.is_empty() {
            self.first.extend_from_slice(path);
        }
        match fields.write_without_digest(line, &mut self.text) {
            Some(digest) => self.digests.push(digest),
            None => self.text.extend_from_slice(line),
        }
        self.text.push(b'\n');
        self.has_links |= fields.is_link;
        block
    }

    /// Returns the last block.
    pub fn take(&mut self) -> Option<Block> {
        if self.text.is_empty() {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        let text = self.compressor.as_mut().and_then(|compressor| compressor.compress(&self.text).ok());
        let Some(text) = text else { unreachable!("compression into memory does not fail") };
        let block = Block {
            first: std::mem::take(&mut self.first).into_boxed_slice(),
            text: text.into_boxed_slice(),
            // Bounded by `LARGEST` and a line.
            open_size: self.text.len() as u32,
            digests: std::mem::take(&mut self.digests).into_boxed_slice(),
            has_links: std::mem::take(&mut self.has_links),
        };
        const { assert!(LARGEST + MAX_LINE_SIZE < u32::MAX as usize) };
        self.text.clear();
        Some(block)
    }
}

/// Hashes a path (FNV-1a). An index that is made to have blocks of the largest or the smallest size
/// only takes a little more memory.
fn hash(path: &[u8]) -> u32 {
    let hash = path.iter().fold(0x811c_9dc5u32, |hash, c| (hash ^ u32::from(*c)).wrapping_mul(0x0100_0193));
    // The low bits of that alone are those of the last bytes.
    hash ^ (hash >> 15)
}
