//! Brings a directory to exactly the tree of an index: scan, plan, execute, check.
//!
//! ```text
//! scan     walk the target once, in parallel: metadata, and content digests of regular files where they decide something
//! plan     a pure function of index, scan and rules: what to keep, reflink, write, fix, remove
//! execute  carry the plan out, in parallel; each new file is read back and digested before it gets its place
//! check    compare the target with the index again
//! ```
//!
//! Memory: about 120 bytes for each name in the target and about 1 MiB for each core, beside the index itself.
//!
//! `/proc` must be mounted: extended attributes are reached through it.

mod beneath;
mod check;
mod error;
mod execute;
mod hash;
mod inventory;
mod join;
mod metadata;
mod plan;
mod pool;
mod reach;
mod rules;
mod tree;
mod walk;
mod xattr;

pub use beneath::is_temporary;
pub use check::{Difference, ReadBack, check};
pub use error::EngineError;
pub(crate) use error::bytes_read;
pub use execute::execute;
pub use inventory::{Found, inventory};
pub use plan::{Plan, Shown};
pub use rules::{Reflink, Rules};
pub use xattr::{acl_owners, is_label, map_acl_owners};

use crate::image::Image;
use error::shown;
use hash::{Reading, Through};
use join::Joined;
use rules::Lookup;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use tiu_bundle::index::Index;
use tiu_system::progress::{Cancel, Progress, Unit};
use tree::Tree;
use walk::Attributes;

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

/// Scans the target and plans. Nothing is changed; for root and the owner of the files not even access times, but those of symlinks.
pub fn plan(job: &Job) -> Result<Plan, EngineError> {
    let Job { index, target, progress, cancel, .. } = *job;
    let rules = &Lookup::new(job.rules);
    let reading = Reading { root: target, through: Through::Disk, rules, progress, cancel };
    let (mut tree, mut joined) = scan(index, Attributes::WithContent, &reading)?;
    let files = std::mem::take(&mut joined.same_size);
    reading.run("Comparing", &mut tree, files)?;
    let mut comparison =
        plan::compare::compare(index, &tree, joined, rules).map_err(|conflict| EngineError::Conflict {
            path: shown(&tree.path(conflict.directory)),
            expected: conflict.expected,
            held: shown(&tree.path(conflict.held)),
        })?;
    let files = plan::sources::to_hash(&tree, &plan::sources::sizes_wanted(index, &comparison));
    reading.run("Looking for content", &mut tree, files)?;
    let mut seeds = Vec::new();
    for path in job.seeds {
        let sizes = plan::sources::sizes_missing(index, &comparison, &tree);
        if sizes.is_empty() {
            seeds.push(Tree::empty());
            continue;
        }
        let root = open_seed(path)?;
        let reading = Reading { root: root.as_fd(), ..reading };
        let mut seed = scan_seed(&reading)?;
        let files = plan::sources::to_hash(&seed, &sizes);
        reading.run("Reading the seed", &mut seed, files)?;
        seeds.push(seed);
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
fn scan(index: &Index, attributes: Attributes, reading: &Reading) -> Result<(Tree, Joined), EngineError> {
    let Reading { root, rules, progress, cancel, .. } = *reading;
    progress.begin("Looking", 0, Unit::Items);
    let tree =
        walk::Walk { root, index: Some(index), everything: false, rules, attributes, progress, cancel }.run();
    progress.end();
    let tree = tree?;
    let joined = Joined::new(index, &tree, rules, attributes);
    Ok((tree, joined))
}

fn scan_seed(reading: &Reading) -> Result<Tree, EngineError> {
    let Reading { root, rules, progress, cancel, .. } = *reading;
    let attributes = Attributes::WithContent;
    progress.begin("Looking at the seed", 0, Unit::Items);
    let tree = walk::Walk { root, index: None, everything: false, rules, attributes, progress, cancel }.run();
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
