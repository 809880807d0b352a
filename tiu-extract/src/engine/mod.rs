//! Brings a directory to exactly the tree of an index: scan, plan, execute, check.
//!
//! ```text
//! scan     walk the target once, in parallel: metadata, and content digests of regular files where they decide something
//! plan     a pure function of index, scan and rules: what to keep, reflink, write, fix, remove
//! execute  carry the plan out, in parallel
//! check    compare the target with the index again; what was written is read back
//! ```
//!
//! Memory: about 120 bytes for each name in the target and 400 KiB for each core, beside the index itself.
//!
//! `/proc` must be mounted: extended attributes are reached through it.

mod beneath;
mod check;
mod error;
mod execute;
mod hash;
mod join;
mod metadata;
mod plan;
mod pool;
mod rules;
mod tree;
mod walk;
mod xattr;

pub use beneath::TEMPORARY_PREFIX;
pub use check::{Difference, ReadBack, check};
pub use error::EngineError;
pub use execute::execute;
pub use plan::Plan;
pub use rules::{Reflink, Rules};

use crate::image::Image;
use error::shown;
use hash::Through;
use join::Joined;
use rules::Lookup;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use tiu_bundle::index::Index;
use tiu_bundle::progress::{Cancel, Progress, Unit};
use tree::Tree;

/// Everything a run needs.
pub struct Job<'a> {
    /// What the tree must become.
    pub index: &'a Index,
    /// Where content comes from.
    pub image: &'a dyn Image,
    /// Descriptor of the target directory.
    pub target: BorrowedFd<'a>,
    /// Trees with content that may be reflinked from.
    pub seeds: &'a [PathBuf],
    /// See [`Rules`].
    pub rules: &'a Rules,
    /// Shown to the user.
    pub progress: &'a dyn Progress,
    /// Stops the run.
    pub cancel: &'a Cancel,
}

/// What a plan will do, and what a run did: counts and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Entries that were already right.
    pub unchanged: u64,
    /// Files whose content was shared wholly with a file of the target or of a seed.
    pub reflinked: u64,
    /// Files written (wholly or in part).
    pub written: u64,
    /// Bytes of new content written.
    pub bytes_written: u64,
    /// Bytes shared by reflink instead of being written.
    pub bytes_shared: u64,
    /// Entries of which only metadata was changed.
    pub metadata: u64,
    /// Entries removed.
    pub removed: u64,
    /// Directories, symlinks, devices, hard links made.
    pub made: u64,
}

/// Scans the target and plans. Nothing is changed, access times included where the caller owns the files or is root.
pub fn plan(job: &Job) -> Result<Plan, EngineError> {
    let Job { index, target, progress, cancel, .. } = *job;
    let rules = Lookup::new(job.rules);
    let (mut tree, mut joined) = scan(index, target, &rules, progress, cancel)?;
    let files = std::mem::take(&mut joined.same_size);
    hash::run("Comparing", Through::Disk, target, &mut tree, files, progress, cancel)?;
    let mut comparison =
        plan::compare::compare(index, &tree, joined, &rules).map_err(|conflict| EngineError::Conflict {
            path: shown(&tree.path(conflict.directory)),
            expected: conflict.expected,
            held: shown(&tree.path(conflict.held)),
        })?;
    let files = plan::sources::to_hash(&tree, &plan::sources::sizes_wanted(index, &comparison));
    hash::run("Looking for content", Through::Disk, target, &mut tree, files, progress, cancel)?;
    let mut seeds = Vec::new();
    for path in job.seeds {
        let sizes = plan::sources::sizes_missing(index, &comparison, &tree);
        seeds.push(match sizes.is_empty() {
            true => Tree::empty(),
            false => {
                let root = open_seed(path)?;
                let mut seed = scan_seed(root.as_fd(), &rules, progress, cancel)?;
                let files = plan::sources::to_hash(&seed, &sizes);
                hash::run(
                    "Reading the seed",
                    Through::Disk,
                    root.as_fd(),
                    &mut seed,
                    files,
                    progress,
                    cancel,
                )?;
                seed
            }
        });
    }
    plan::sources::choose(index, &mut comparison, &tree, &seeds);
    Ok(Plan {
        steps: comparison.steps,
        places: comparison.places,
        tree,
        seeds,
        can_reflink: can_reflink(target)?,
    })
}

/// Walks the target and lays the index over it.
fn scan(
    index: &Index,
    target: BorrowedFd,
    rules: &Lookup,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(Tree, Joined), EngineError> {
    progress.begin("Looking", 0, Unit::Items);
    let tree = walk::Walk { root: target, index: Some(index), rules, progress, cancel }.run();
    progress.end();
    let tree = tree?;
    let joined = Joined::new(index, &tree, rules);
    Ok((tree, joined))
}

fn scan_seed(
    root: BorrowedFd,
    rules: &Lookup,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Tree, EngineError> {
    progress.begin("Looking at the seed", 0, Unit::Items);
    let tree = walk::Walk { root, index: None, rules, progress, cancel }.run();
    progress.end();
    tree
}

fn open_seed(path: &Path) -> Result<OwnedFd, EngineError> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| EngineError::Io { operation: "open the seed", path: path.to_owned(), source: e.into() })
}

/// Whether the filesystem is one that can share blocks. Only an estimate (xfs can be made without): what counts is what happens.
fn can_reflink(target: BorrowedFd) -> Result<bool, EngineError> {
    /// `BTRFS_SUPER_MAGIC`, `XFS_SUPER_MAGIC` of `linux/magic.h`, and `BCACHEFS_STATFS_MAGIC`.
    const MAGIC: [u32; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e];
    let fs =
        rustix::fs::fstatfs(target).map_err(|e| EngineError::io("read the filesystem's state of", b"", e))?;
    Ok(MAGIC.contains(&(fs.f_type as u32)))
}
