//! Reading an index: strict, bounded, one pass, in time linear in its size.

use super::error::{LineError, shown};
use super::escape::Unescaped;
use super::line::Fields;
use super::steps;
use super::{Entry, IndexError, Kind};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::text::printable;

/// Longest text that is read, in bytes; see [`text_limit`].
pub const MAX_TEXT_SIZE: u64 = 1 << 30;
/// Most entries that are read.
pub const MAX_ENTRIES: u64 = 4_000_000;
/// Longest line in bytes: a path and a link's target with every byte escaped, and three of the
/// longest extended attributes.
pub const MAX_LINE_SIZE: usize = 1 << 20;

/// Shortest line after the root's in bytes, with its newline: `/a 0 10644 1 0 0 0 0.0 - - -`.
pub const MIN_LINE_SIZE: u64 = 29;
/// Bytes of text that the index of the smallest image can have.
const SMALL_TEXT: u64 = 16 << 20;
/// Bytes of text for each byte of hash tree, which is a 128th of the image: 64 for each byte of the
/// image.
const TEXT_PER_TREE: u64 = 64 * 128;

/// Returns the size of the longest text of an index in bytes. `entries` and `verity_size` are those
/// of the manifest.
///
/// There are two bounds. A line has at most 4096 bytes on average (a usual one has 250), and one
/// longest line is free. And the image bounds the text, because a small file must not take much
/// memory, regardless of how many entries it claims: 16 MiB, and 64 bytes for each byte of the
/// image. The compressed index is a part of the image, and digests do not compress: text of real
/// systems has four times the size of the compressed index and a 20th of the image's.
pub fn text_limit(entries: u64, verity_size: u64) -> u64 {
    let by_entries = entries.saturating_mul(4096).saturating_add(MAX_LINE_SIZE as u64);
    let by_image = verity_size.saturating_mul(TEXT_PER_TREE).saturating_add(SMALL_TEXT);
    by_entries.min(by_image).min(MAX_TEXT_SIZE)
}

/// A checked index.
#[derive(Clone)]
pub struct Index {
    text: Vec<u8>,
    /// Offset of each line.
    lines: Vec<u32>,
    content_size: u64,
}

impl Index {
    /// Checks `text`, which is kept. Memory besides: four bytes for each entry, and a few for each
    /// inode of many names.
    pub fn parse(text: Vec<u8>) -> Result<Self, IndexError> {
        if text.len() as u64 > MAX_TEXT_SIZE {
            return Err(IndexError::TooLarge { limit: MAX_TEXT_SIZE });
        }
        if text.is_empty() {
            return Err(IndexError::Empty);
        }
        let mut checker = Checker::new();
        let mut start = 0;
        for line in text.split_inclusive(|c| *c == b'\n') {
            let number = checker.index.lines.len() as u64 + 1;
            if number > MAX_ENTRIES {
                return Err(IndexError::TooManyEntries { found: number, limit: MAX_ENTRIES });
            }
            if line.len() > MAX_LINE_SIZE {
                return Err(IndexError::LineTooLong { line: number, limit: MAX_LINE_SIZE });
            }
            let Some(line) = line.strip_suffix(b"\n") else {
                return Err(IndexError::CutText { line: number });
            };
            checker.line(&text, start, line)?;
            start += line.len() + 1;
        }
        checker.finish(text)
    }
    /// Returns the number of entries, hard links and the root included.
    pub fn len(&self) -> usize {
        self.lines.len()
    }
    /// Returns false: an index has at least its root.
    pub fn is_empty(&self) -> bool {
        false
    }
    /// Returns entry `i` in path order.
    ///
    /// # Panics
    /// If `i` is not less than [`len`](Self::len).
    pub fn entry(&self, i: usize) -> Entry<'_> {
        let checked = Fields::split(line(&self.text, &self.lines, i)).and_then(|fields| fields.entry());
        checked.unwrap_or_else(|e| unreachable!("line {} was checked before: {e}", i + 1))
    }
    /// Returns all entries in path order, parents before their children.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> + '_ {
        (0..self.len()).map(|i| self.entry(i))
    }
    /// Returns the number of the entry at `path`, by binary search.
    pub fn find(&self, path: &TreePath) -> Option<usize> {
        find(&self.text, &self.lines, path.as_bytes())
    }
    /// Returns the names in the directory at `path`, in the order of the index. Takes a search for
    /// each name and each directory, whatever lies below those.
    pub fn names(&self, path: &TreePath) -> Vec<Vec<u8>> {
        let mut start = path.as_bytes().to_vec();
        if !path.is_root() {
            start.push(b'/');
        }
        let (mut names, mut at) = (Vec::new(), self.first_from(&start));
        while at < self.len() {
            let entry = self.entry(at);
            let Some(below) = entry.path.as_bytes().strip_prefix(&start[..]) else { break };
            match below.iter().position(|c| *c == b'/') {
                // The root is its own first entry.
                None if below.is_empty() => at += 1,
                None => {
                    names.push(below.to_vec());
                    at += 1;
                }
                // Everything in that directory comes before its name with the next byte.
                Some(end) => {
                    let mut next = start.clone();
                    next.extend_from_slice(below.get(..end).unwrap_or_default());
                    next.push(b'/' + 1);
                    at = self.first_from(&next);
                }
            }
        }
        names
    }
    /// Returns the number of the first entry whose path is not before `path`.
    fn first_from(&self, path: &[u8]) -> usize {
        self.lines.partition_point(|start| compare_line(&self.text, *start, path) == Ordering::Less)
    }
    /// Returns the entry that carries the kind and the content of `entry`: the inode of a hard
    /// link, and `entry` itself otherwise.
    pub fn inode_of<'a>(&'a self, entry: &'a Entry<'a>) -> Cow<'a, Entry<'a>> {
        match entry.link.as_deref().and_then(|inode| self.find(inode)) {
            Some(inode) => Cow::Owned(self.entry(inode)),
            None => Cow::Borrowed(entry),
        }
    }
    /// Returns the text, as it was signed.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
    /// Returns the sum of the sizes of regular files in bytes, each inode counted once: `size` of
    /// the manifest.
    pub fn content_size(&self) -> u64 {
        self.content_size
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index of {} entries", self.len())
    }
}

/// Returns line `i` without its newline.
fn line<'a>(text: &'a [u8], lines: &[u32], i: usize) -> &'a [u8] {
    let start = lines[i] as usize;
    let end = lines.get(i + 1).map_or(text.len(), |next| *next as usize);
    text.get(start..end).and_then(|line| line.strip_suffix(b"\n")).unwrap_or_default()
}

/// Searches for a path among lines that were checked.
fn find(text: &[u8], lines: &[u32], path: &[u8]) -> Option<usize> {
    lines.binary_search_by(|start| compare_line(text, *start, path)).ok()
}

/// Compares the path of the line at `start` with one that is not escaped.
fn compare_line(text: &[u8], start: u32, path: &[u8]) -> Ordering {
    let line = text.get(start as usize..).unwrap_or_default();
    let end = line.iter().position(|c| *c == b' ').unwrap_or(line.len());
    compare_paths(line.get(1..end).unwrap_or_default(), path)
}

/// Compares an escaped path with one that is not.
fn compare_paths(escaped: &[u8], path: &[u8]) -> Ordering {
    if escaped.contains(&b'\\') { Unescaped(escaped).cmp(path.iter().copied()) } else { escaped.cmp(path) }
}

/// A path that is a prefix (by bytes) of the current one; one of them is its parent.
struct Prefix {
    len: usize,
    kind: Kind,
}

/// Checks lines in order. Memory is constant except for the offsets and the inodes of many names.
struct Checker {
    index: Index,
    previous: TreePathBuf,
    /// All earlier paths that are a prefix of the previous path, itself included, by length. In
    /// sorted order whatever is a prefix of a path is still in here when that path comes, so the
    /// parent is found without a map of all directories.
    prefixes: Vec<Prefix>,
    /// Inodes whose number of links is not one: line, number of links, names so far.
    linked: HashMap<usize, (u32, u32)>,
}

impl Checker {
    fn new() -> Self {
        let index = Index { text: Vec::new(), lines: Vec::new(), content_size: 0 };
        Checker { index, previous: TreePathBuf::default(), prefixes: Vec::new(), linked: HashMap::new() }
    }

    fn line(&mut self, text: &[u8], start: usize, line: &[u8]) -> Result<(), IndexError> {
        let number = self.index.lines.len();
        let wrong = |problem| IndexError::Line {
            line: number as u64 + 1,
            path: printable(&shown(line.split(|c| *c == b' ').next().unwrap_or_default())),
            problem,
        };
        let fields = Fields::split(line).map_err(wrong)?;
        if number == 0 && fields.path != b"/" {
            return Err(IndexError::NoRoot { found: shown(fields.path) });
        }
        let entry = fields.entry().map_err(wrong)?;
        let kind = fields.inode_kind().map_err(wrong)?;
        if number == 0 && entry.kind != Kind::Dir {
            return Err(wrong(LineError::RootNotDir(entry.kind)));
        }
        if number > 0 {
            self.order_and_parent(&entry).map_err(wrong)?;
        }
        match &entry.link {
            Some(link) => self.link(text, &fields, link, &entry).map_err(wrong)?,
            _ if kind != Kind::Dir && entry.nlink != 1 => {
                self.linked.insert(number, (entry.nlink, 1));
            }
            _ => {}
        }
        if entry.kind == Kind::File {
            self.index.content_size = self.index.content_size.saturating_add(entry.size);
        }
        self.prefixes.push(Prefix { len: entry.path.as_bytes().len(), kind });
        entry.path.as_ref().clone_into(&mut self.previous);
        // MAX_TEXT_SIZE is below 2^32.
        self.index.lines.push(start as u32);
        Ok(())
    }

    fn order_and_parent(&mut self, entry: &Entry) -> Result<(), LineError> {
        let (path, previous) = (entry.path.as_bytes(), self.previous.as_bytes());
        let common = previous.iter().zip(path).take_while(|(a, b)| a == b).count();
        match previous.cmp(path) {
            Ordering::Less => {}
            Ordering::Equal => return Err(LineError::Twice),
            Ordering::Greater => return Err(LineError::NotSorted { previous: shown(previous) }),
        }
        while self.prefixes.last().is_some_and(|prefix| prefix.len > common) {
            steps::count();
            self.prefixes.pop();
        }
        let parent_len = path.iter().rposition(|c| *c == b'/').unwrap_or(0);
        let parent = || shown(path.get(..parent_len).unwrap_or_default());
        let found = self.prefixes.binary_search_by_key(&parent_len, |prefix| {
            steps::count();
            prefix.len
        });
        match found.ok().and_then(|at| self.prefixes.get(at)).map(|prefix| prefix.kind) {
            Some(Kind::Dir) => Ok(()),
            Some(Kind::Symlink) => Err(LineError::ThroughSymlink { parent: parent() }),
            Some(kind) => Err(LineError::ParentNotDir { parent: parent(), kind }),
            None => Err(LineError::ParentMissing { parent: parent() }),
        }
    }

    fn link(
        &mut self,
        text: &[u8],
        link: &Fields,
        target: &TreePath,
        entry: &Entry,
    ) -> Result<(), LineError> {
        let name = || shown(target.as_bytes());
        if *target >= *entry.path {
            return Err(LineError::LinkTargetLater(name()));
        }
        let lines = &self.index.lines;
        let at = find(text, lines, target.as_bytes()).ok_or_else(|| LineError::LinkTargetMissing(name()))?;
        let end = lines.get(at + 1).map_or(text.len(), |next| *next as usize);
        let start = lines.get(at).map_or(end, |start| *start as usize);
        let found = text.get(start..end).unwrap_or_default();
        let found = found.split(|c| *c == b'\n').next().unwrap_or_default();
        let inode = Fields::split(found)?;
        if inode.is_link {
            return Err(LineError::LinkTargetLink(name()));
        }
        if inode.inode_kind()? == Kind::Dir {
            return Err(LineError::LinkTargetDir(name()));
        }
        if !inode.same_inode(link) {
            return Err(LineError::LinkDiffers(name()));
        }
        match self.linked.get_mut(&at) {
            Some((nlink, names)) if *names < *nlink => *names += 1,
            Some((nlink, names)) => return Err(LineError::LinkCount { names: *names + 1, nlink: *nlink }),
            None => return Err(LineError::LinkCount { names: 2, nlink: 1 }),
        }
        Ok(())
    }

    fn finish(mut self, text: Vec<u8>) -> Result<Index, IndexError> {
        let first_wrong =
            self.linked.iter().filter(|(_, (nlink, names))| nlink != names).min_by_key(|(i, _)| **i);
        if let Some((i, (nlink, names))) = first_wrong {
            let path = line(&text, &self.index.lines, *i).split(|c| *c == b' ').next().unwrap_or_default();
            return Err(IndexError::Line {
                line: *i as u64 + 1,
                path: printable(&shown(path)),
                problem: LineError::LinkCount { names: *names, nlink: *nlink },
            });
        }
        self.index.lines.shrink_to_fit();
        self.index.text = text;
        Ok(self.index)
    }
}
