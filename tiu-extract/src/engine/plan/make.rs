//! Makes a plan: reads as much of the target and the seeds as the decisions need.

use super::compare::compare;
use super::sources;
use super::steps::{INLINE, Plan};
use crate::engine::error::{EngineError, shown};
use crate::engine::hash::{Caching, Reading};
use crate::engine::job::Job;
use crate::engine::join::Joined;
use crate::engine::proof::{Proof, Unproved, narrow, scan_changes};
use crate::engine::rules::Lookup;
use crate::engine::scan::{open_seed, scan, scan_seed};
use crate::engine::scope::Scope;
use crate::engine::tree::ScannedTree;
use crate::engine::walk::ReadAttributes;
use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use tiu_bundle::index::Index;

/// Scans the target and plans. Changes nothing: for root and the owner of the files not even access
/// times, except those of symlinks.
pub fn plan(job: &Job) -> Result<Plan, EngineError> {
    let rules = &Lookup::new(job.rules);
    let reading = reading(job, rules);
    let (tree, joined) = scan(job.index, ReadAttributes::WithContent, &reading)?;
    finish(job, None, tree, joined, &reading)
}

/// Plans as [`plan()`] does, and looks only at what is not proved. Returns the reason if nothing is
/// proved, or if the filesystem cannot read a part of the target.
///
/// Writes the changes of the target's filesystem that are in memory to the disk.
pub fn plan_changes(job: &Job, proof: &Proof) -> Result<Result<Plan, Unproved>, EngineError> {
    let rules = &Lookup::new(job.rules);
    let reading = reading(job, rules);
    let mut narrowed = match narrow(job.index, job.target, job.rules, proof, INLINE) {
        Ok(narrowed) => narrowed,
        Err(unproved) => return Ok(Err(unproved)),
    };
    let (tree, joined) = match scan_changes(job.index, &narrowed, proof, &reading)? {
        Ok(scanned) => scanned,
        Err(unproved) => return Ok(Err(unproved)),
    };
    narrowed.scope = Scope::default();
    let proved = narrowed.proved;
    let mut plan = finish(job, Some(narrowed.index), tree, joined, &reading)?;
    // Damage seldom comes alone, and a tree with damaged metadata must not be changed.
    if let Some(damaged) = plan.unreadable().first() {
        return Ok(Err(Unproved::new(format_args!("{}: {}", damaged.path.absolute(), damaged.what))));
    }
    plan.proved = proved;
    Ok(Ok(plan))
}

fn reading<'a>(job: &Job<'a>, rules: &'a Lookup<'a>) -> Reading<'a> {
    Reading { root: job.target, caching: Caching::Bypassed, rules, watch: job.watch }
}

/// Plans with what was scanned. `part` is the part of the index that the scan is about, if it is not
/// about all of it.
fn finish(
    job: &Job,
    part: Option<Index>,
    mut tree: ScannedTree,
    mut joined: Joined,
    reading: &Reading,
) -> Result<Plan, EngineError> {
    let index = part.as_ref().unwrap_or(job.index);
    // The others were read.
    let proved = tree.digests().filter(|_| part.is_some());
    let proved: HashSet<u32> = proved.map(|(node, _)| node).collect();
    let mut files = std::mem::take(&mut joined.same_size);
    files.retain(|file| tree.digest(file.node).is_none());
    reading.run("Comparing", &mut tree, files)?;
    let mut comparison =
        compare(index, &tree, joined, reading.rules).map_err(|conflict| EngineError::Conflict {
            path: shown(&tree.path(conflict.directory)),
            expected: conflict.expected,
            held: shown(&tree.path(conflict.held)),
        })?;
    let files = comparison.unread_losses(&tree, &proved);
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
        let reading = Reading { root: root.as_fd(), ..*reading };
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
        part,
        proved: 0,
        can_reflink: can_reflink(job.target)?,
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
