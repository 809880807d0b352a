//! Makes a plan: reads as much of the target and the seeds as the decisions need.

use super::compare::compare;
use super::sources;
use super::steps::Plan;
use crate::engine::error::{EngineError, shown};
use crate::engine::hash::{Caching, Reading};
use crate::engine::job::Job;
use crate::engine::rules::Lookup;
use crate::engine::scan::{open_seed, scan, scan_seed};
use crate::engine::tree::ScannedTree;
use crate::engine::walk::ReadAttributes;
use std::os::fd::{AsFd, BorrowedFd};

/// Scans the target and plans. Changes nothing: for root and the owner of the files not even access
/// times, except those of symlinks.
pub fn plan(job: &Job) -> Result<Plan, EngineError> {
    let Job { index, target, watch, .. } = *job;
    let rules = &Lookup::new(job.rules);
    let reading = Reading { root: target, caching: Caching::Bypassed, rules, watch };
    let (mut tree, mut joined) = scan(index, ReadAttributes::WithContent, &reading)?;
    let files = std::mem::take(&mut joined.same_size);
    reading.run("Comparing", &mut tree, files)?;
    let mut comparison = compare(index, &tree, joined, rules).map_err(|conflict| EngineError::Conflict {
        path: shown(&tree.path(conflict.directory)),
        expected: conflict.expected,
        held: shown(&tree.path(conflict.held)),
    })?;
    let files = comparison.unread_losses(&tree);
    reading.probe(&mut tree, &files)?;
    let files = sources::to_hash(&tree, &sources::sizes_wanted(index, &comparison));
    reading.run("Searching for content", &mut tree, files)?;
    let mut seeds = Vec::new();
    for path in job.seeds {
        let sizes = sources::sizes_missing(index, &comparison, &tree);
        if sizes.is_empty() {
            seeds.push(ScannedTree::empty());
            continue;
        }
        let root = open_seed(path)?;
        let reading = Reading { root: root.as_fd(), ..reading };
        let mut seed = scan_seed(&reading)?;
        let files = sources::to_hash(&seed, &sizes);
        reading.run("Reading the seed", &mut seed, files)?;
        seeds.push(seed);
    }
    sources::choose(index, &mut comparison, &tree, &seeds);
    Ok(Plan {
        steps: comparison.steps,
        places: comparison.places,
        tree,
        seeds,
        can_reflink: can_reflink(target)?,
    })
}

/// Returns true if the filesystem of `target` can usually share blocks. This is an estimate for the
/// summary, because xfs can be made without reflinks; the run tries and sees.
fn can_reflink(target: BorrowedFd) -> Result<bool, EngineError> {
    /// `BTRFS_SUPER_MAGIC`, `XFS_SUPER_MAGIC` of `linux/magic.h`, and `BCACHEFS_STATFS_MAGIC`.
    const MAGIC: [u32; 3] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e];
    let fs =
        rustix::fs::fstatfs(target).map_err(|e| EngineError::io("read the filesystem's state of", b"", e))?;
    Ok(MAGIC.contains(&(fs.f_type as u32)))
}
