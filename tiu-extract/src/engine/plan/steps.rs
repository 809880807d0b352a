//! A plan as data.

use crate::engine::job::Summary;
use crate::engine::join::Place;
use crate::engine::tree::ScannedTree;
use tiu_bundle::index::Kind;

/// Files up to this size have their content beside their metadata on btrfs (`max_inline`): there is nothing to share.
pub(in crate::engine) const INLINE: u64 = 2048;

/// A file with content that may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Source {
    /// A node of the target.
    Target(u32),
    /// A node of a seed: the seed's number, the node's.
    Seed(u16, u32),
    /// What an earlier step makes of this entry.
    Made(u32),
}

/// Where a file's content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Content {
    /// All of it is read from the image and written.
    Write,
    /// All of it is shared.
    Reflink(Source),
    /// Read from the image; blocks that equal those of the source at the same offset are shared.
    Patch(Source),
}

/// A regular file to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct FileStep {
    pub entry: u32,
    pub size: u64,
    pub content: Content,
}

/// A directory to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct MakeDir {
    pub entry: u32,
    /// What stands in its place, and whether that is a directory.
    pub instead_of: Option<(u32, bool)>,
}

/// A further name of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Link {
    pub entry: u32,
    /// Entry at whose path the inode is by then.
    pub to: u32,
}

/// A directory with something that cannot go, at the place of something else.
#[derive(Debug)]
pub(in crate::engine) struct Conflict {
    pub directory: u32,
    pub expected: Kind,
    pub held: u32,
}

/// All steps. See the module for their order. Numbers are those of entries unless it says nodes.
#[derive(Default)]
pub(in crate::engine) struct Steps {
    pub dirs: Vec<MakeDir>,
    pub early: Vec<FileStep>,
    pub files: Vec<FileStep>,
    /// Symlinks, devices, fifos, sockets.
    pub specials: Vec<u32>,
    /// Entries at whose path is the right inode with wrong metadata.
    pub fixes: Vec<u32>,
    /// Nodes.
    pub remove: Vec<u32>,
    /// Nodes, children first.
    pub remove_dirs: Vec<u32>,
    pub late: Vec<FileStep>,
    pub late_specials: Vec<u32>,
    pub copies: Vec<FileStep>,
    pub links: Vec<Link>,
    /// Directories that are made, changed, or get the time back that a change of their content took; parents first.
    pub dir_meta: Vec<u32>,
    /// Number of directories that are there and have wrong metadata.
    pub wrong_dirs: u64,
    /// Number of entries with nothing to do.
    pub unchanged: u64,
}

impl Steps {
    /// Regular files that get content.
    pub fn all_files(&self) -> impl Iterator<Item = &FileStep> {
        [&self.early, &self.files, &self.late, &self.copies].into_iter().flatten()
    }
}

/// A plan: pure data.
pub struct Plan {
    pub(in crate::engine) steps: Steps,
    pub(in crate::engine) places: Vec<Place>,
    pub(in crate::engine) tree: ScannedTree,
    pub(in crate::engine) seeds: Vec<ScannedTree>,
    /// Whether the target's filesystem can share blocks.
    pub(in crate::engine) can_reflink: bool,
}

impl Plan {
    /// What will be done. Of files that share blocks with an older version it is not known before how many: they count as written.
    pub fn summary(&self) -> Summary {
        let steps = &self.steps;
        let mut sum = Summary {
            unchanged: steps.unchanged,
            metadata: steps.fixes.len() as u64 + steps.wrong_dirs,
            removed: (steps.remove.len() + steps.remove_dirs.len()) as u64,
            made: (steps.dirs.len() + steps.specials.len() + steps.late_specials.len() + steps.links.len())
                as u64,
            ..Summary::default()
        };
        for file in steps.all_files() {
            match file.content {
                Content::Reflink(_) if self.can_reflink => {
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

    /// Whether there is nothing to do at all.
    pub fn is_empty(&self) -> bool {
        let Summary { reflinked, written, metadata, removed, made, .. } = self.summary();
        reflinked + written + metadata + removed + made == 0
    }

    /// Bytes that the plan needs on the target's filesystem at most, metadata included, rounded up: what is replaced or removed is freed
    /// only later, if ever (snapshots hold it).
    pub fn space_needed(&self) -> u64 {
        /// btrfs keeps metadata twice on one disk, in nodes of 16 KiB that are half full in the worst case: about this for inode, names
        /// and extents of one file.
        const INODE: u64 = 4096;
        let sum = self.summary();
        let content: u64 = self
            .steps
            .all_files()
            .filter(|file| !(self.can_reflink && matches!(file.content, Content::Reflink(_))))
            .map(|file| file.size.next_multiple_of(4096))
            .fold(0, u64::saturating_add);
        // Checksums, twice: 4 bytes for each block.
        let checksums = content / 512;
        let inodes =
            (sum.written + sum.reflinked + sum.metadata + sum.removed + sum.made).saturating_mul(INODE);
        content.saturating_add(checksums).saturating_add(inodes).next_multiple_of(1 << 20)
    }
}
