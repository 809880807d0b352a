//! The plan as data.

use crate::engine::error::EngineError;
use crate::engine::flags::{self, ClearedFlags};
use crate::engine::job::Summary;
use crate::engine::join::EntryPlace;
use crate::engine::tree::{Ownership, ScannedTree};
use crate::engine::unreadable::Unreadable;
use std::collections::HashSet;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::{Index, Kind};
use tiu_system::path::TreePathBuf;

/// Size in bytes up to which btrfs stores a file's content next to its metadata (`max_inline`), so
/// that there is nothing to share.
pub(in crate::engine) const INLINE: u64 = 2048;

/// A file whose content may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum ContentSource {
    /// A node of the target.
    Target(u32),
    /// A node of a seed: the number of the seed, and of the node.
    Seed(u16, u32),
    /// The file at the path of this entry: it stays, or an earlier step makes it.
    Entry(u32),
}

/// The origin of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum FileContent {
    /// All of it is read from the image and written.
    Write,
    /// All of it is shared.
    Reflink(ContentSource),
    /// It is read from the image. Blocks that equal those of the source at the same offset are
    /// shared, others written.
    Patch(ContentSource),
}

/// A regular file to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct FileStep {
    pub entry: u32,
    pub size: u64,
    pub content: FileContent,
}

impl FileStep {
    /// Returns the path in the image at which the file's content is.
    pub fn path_in_image(&self, index: &Index) -> TreePathBuf {
        index.inode_of(&index.entry(self.entry as usize)).path.as_ref().to_owned()
    }

    /// Returns the same if the content is read from there.
    pub fn read_from_image(&self, index: &Index) -> Option<TreePathBuf> {
        let is_read = self.size > 0 && !matches!(self.content, FileContent::Reflink(_));
        is_read.then(|| self.path_in_image(index))
    }
}

/// A directory to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct MakeDir {
    pub entry: u32,
    /// The node in its place, if any, and true if that is a directory.
    pub instead_of: Option<(u32, bool)>,
}

/// A further name of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Link {
    pub entry: u32,
    /// The entry at whose path the inode is by then.
    pub to: u32,
}

/// A directory that must become something else, but holds a node that must stay.
#[derive(Debug)]
pub(in crate::engine) struct Conflict {
    pub directory: u32,
    pub expected: Kind,
    pub held: u32,
}

/// A path of the target that the filesystem could not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadablePath {
    /// The path in the tree.
    pub path: TreePathBuf,
    /// True if it is metadata.
    pub metadata: bool,
    /// The part that cannot be read, with the error.
    pub what: String,
}

/// All steps; [`super`] has their order. Numbers are those of entries, unless they are said to be
/// nodes.
#[derive(Default)]
pub(in crate::engine) struct Steps {
    pub dirs: Vec<MakeDir>,
    pub early: Vec<FileStep>,
    pub files: Vec<FileStep>,
    /// Symlinks, devices, fifos, sockets.
    pub specials: Vec<u32>,
    /// Entries whose inode is right except for its metadata.
    pub fixes: Vec<u32>,
    /// Nodes that are not directories.
    pub remove: Vec<u32>,
    /// Nodes that are directories, children first.
    pub remove_dirs: Vec<u32>,
    pub late: Vec<FileStep>,
    pub late_specials: Vec<u32>,
    pub copies: Vec<FileStep>,
    pub links: Vec<Link>,
    /// Directories that are made or changed, or whose time must be restored because their content
    /// changed; parents first.
    pub dir_meta: Vec<u32>,
    /// The number of existing directories with wrong metadata.
    pub wrong_dirs: u64,
    /// The number of entries that need no change.
    pub unchanged: u64,
}

impl Steps {
    /// Returns all regular files that get content.
    pub fn all_files(&self) -> impl Iterator<Item = &FileStep> {
        [&self.early, &self.files, &self.late, &self.copies].into_iter().flatten()
    }
}

/// The steps that bring a tree to an index, and what they refer to.
pub struct Plan {
    pub(in crate::engine) steps: Steps,
    pub(in crate::engine) places: Vec<EntryPlace>,
    pub(in crate::engine) tree: ScannedTree,
    pub(in crate::engine) seeds: Vec<ScannedTree>,
    /// The part of the index that the numbers of entries refer to; the whole index without one.
    pub(in crate::engine) part: Option<Index>,
    /// The number of entries that are not in the part, and are proved to be right.
    pub(in crate::engine) proved: u64,
    /// True if the target's filesystem can probably share blocks.
    pub(in crate::engine) can_reflink: bool,
}

impl Plan {
    /// Returns the index that the numbers of entries refer to. `index` is the one that the plan was
    /// made for.
    pub(in crate::engine) fn index<'a>(&'a self, index: &'a Index) -> &'a Index {
        self.part.as_ref().unwrap_or(index)
    }

    /// Returns counts of what the plan will do. How many blocks a file shares with its older
    /// version shows only later, so such files count as written.
    pub fn summary(&self) -> Summary {
        let steps = &self.steps;
        let mut sum = Summary {
            unchanged: steps.unchanged.saturating_add(self.proved),
            metadata: steps.fixes.len() as u64 + steps.wrong_dirs,
            removed: (steps.remove.len() + steps.remove_dirs.len()) as u64,
            made: (steps.dirs.len() + steps.specials.len() + steps.late_specials.len() + steps.links.len())
                as u64,
            ..Summary::default()
        };
        for file in steps.all_files() {
            match file.content {
                FileContent::Reflink(_) if self.can_reflink => {
                    sum.reflinked += 1;
                    sum.bytes_shared += file.size;
                }
                _ => {
                    sum.written += 1;
                    sum.bytes_written += file.size;
                }
            }
        }
        sum
    }

    /// Returns the files whose content is read from the image, in no order.
    pub fn files_from_image(&self, index: &Index) -> Vec<TreePathBuf> {
        let index = self.index(index);
        self.steps.all_files().filter_map(|file| file.read_from_image(index)).collect()
    }

    /// Returns the paths of the regular files that get content, and were read back then. `index` is
    /// the one that the plan was made for.
    pub(in crate::engine) fn made(&self, index: &Index) -> HashSet<TreePathBuf> {
        let index = self.index(index);
        self.steps.all_files().map(|file| index.entry(file.entry as usize).path.into_owned()).collect()
    }

    /// Returns true if the plan looked only at what was not proved.
    pub fn is_partial(&self) -> bool {
        self.part.is_some()
    }

    /// Returns the number of entries that the plan did not look at.
    pub fn proved(&self) -> u64 {
        self.proved
    }

    /// Returns true if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Summary { reflinked, written, metadata, removed, made, .. } = self.summary();
        reflinked + written + metadata + removed + made == 0
    }

    /// Returns what the filesystem could not read, in path order.
    pub fn unreadable(&self) -> Vec<UnreadablePath> {
        let path = |(node, unreadable): (u32, Unreadable)| UnreadablePath {
            path: self.tree.tree_path(node),
            metadata: unreadable.is_metadata(),
            what: unreadable.to_string(),
        };
        let mut paths: Vec<_> = self.tree.all_unreadable().map(path).collect();
        paths.sort();
        paths
    }

    /// Returns false if the target has damaged metadata: [`execute`](crate::execute()) refuses to
    /// change such a tree.
    pub fn is_possible(&self) -> bool {
        !self.tree.all_unreadable().any(|(_, unreadable)| unreadable.is_metadata())
    }

    /// Clears the flags that stop changes (immutable, append-only) of what is the host's in the
    /// tree that was scanned, or in a copy of it. The caller restores them with
    /// [`restore_flags`](crate::restore_flags) when it has made its own changes.
    pub fn clear_flags_of_host(&self, target: BorrowedFd) -> Result<Vec<ClearedFlags>, EngineError> {
        flags::clear(target, &self.tree, |ownership, _| ownership == Ownership::Kept)
    }

    /// Returns the most bytes that the plan needs on the target's filesystem, including metadata,
    /// rounded up. Files that are replaced or removed free their space later, or never if a
    /// snapshot holds them.
    pub fn space_needed(&self) -> u64 {
        /// Bytes for the inode, names and extents of one file: btrfs keeps metadata twice on one
        /// disk, in nodes of 16 KiB that are half full in the worst case.
        const INODE: u64 = 4096;
        let sum = self.summary();
        let content: u64 = self
            .steps
            .all_files()
            .filter(|file| !(self.can_reflink && matches!(file.content, FileContent::Reflink(_))))
            .map(|file| file.size.next_multiple_of(4096))
            .fold(0, u64::saturating_add);
        // Checksums, twice: 4 bytes for each block.
        let checksums = content / 512;
        let inodes =
            (sum.written + sum.reflinked + sum.metadata + sum.removed + sum.made).saturating_mul(INODE);
        content.saturating_add(checksums).saturating_add(inodes).next_multiple_of(1 << 20)
    }
}
