//! The use of the seal of the base, and the seal of the new snapshot.
//!
//! A run that relies on a seal removes it first, and puts it back when it is done. A run that is
//! cut off thus leaves no seal, and the next run reads everything. A run that fails at the engine's
//! work tries again without the seal. A seal that is wrong, or damage that the proof did not see,
//! therefore cannot stop a host.

use super::context::{Context, Request};
use super::error::ApplyError;
use crate::config::Reuse;
use crate::host::Seal;
use crate::state::{ImageState, Record, SealedTree};
use std::io;
use tiu_bundle::index::STATE_DIR;
use tiu_bundle::manifest::Manifest;
use tiu_extract::{EngineError, Job, Plan, Rules};
use tiu_system::btrfs::Subvolume;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::Tree;

/// The most files without checksums of a sealed snapshot: each is read at every update.
const MAX_WITHOUT_CHECKSUMS: usize = 1000;

/// Returns the base with its seal, if it has one and it may be relied on.
pub fn find(context: &Context, request: &Request, state: &ImageState) -> Option<SealedTree> {
    if context.config.reuse != Reuse::Proved || request.full || request.force {
        return None;
    }
    match SealedTree::find(context.host(), state) {
        Ok(sealed) => Some(sealed),
        Err(reason) => {
            tracing::debug!(snapshot = state.number(), "everything is compared: {reason}");
            None
        }
    }
}

/// Removes the seal that the run will rely on. If that fails, it is not relied on.
pub fn take(context: &Context, sealed: Option<SealedTree>) -> Option<SealedTree> {
    let sealed = sealed?;
    match context.host().remove_seal(&sealed.seal().subvolume) {
        Ok(()) => Some(sealed),
        Err(error) => {
            tracing::debug!("everything is compared: the seal cannot be removed: {error}");
            None
        }
    }
}

/// Returns true if a run that failed with `error` may have failed because it relied on a seal.
pub fn speaks_against(error: &ApplyError) -> bool {
    match error {
        ApplyError::Differs(_) => true,
        ApplyError::Engine(error) => !matches!(
            error,
            EngineError::Image(_)
                | EngineError::Read { .. }
                | EngineError::NoSpace { .. }
                | EngineError::NoMetadataSpace { .. }
                | EngineError::Cancelled(_)
        ),
        _ => false,
    }
}

/// Puts the seal of the base back, after a run that failed for a reason that does not speak against
/// it.
pub fn put_back(context: &Context, sealed: Option<&SealedTree>, error: &ApplyError) {
    if let Some(sealed) = sealed
        && !speaks_against(error)
    {
        add(context, vec![sealed.seal().clone()]);
    }
}

/// Adds seals to those of the host. Without them, the next update takes longer.
pub fn add(context: &Context, seals: Vec<Seal>) {
    if !seals.is_empty()
        && let Err(error) = context.host().add_seals(seals)
    {
        tracing::debug!("the next update compares everything: {error}");
    }
}

/// Plans: by what the base's seal proves, or by comparing everything.
pub fn plan(sealed: Option<&SealedTree>, tree: &Tree, job: &Job) -> Result<Plan, EngineError> {
    if let Some(sealed) = sealed.filter(|sealed| sealed.covers(tree)) {
        match tiu_extract::plan_changes(job, &sealed.proof())? {
            Ok(plan) => {
                tracing::debug!("{} entries are proved", plan.proved());
                return Ok(plan);
            }
            Err(unproved) => tracing::debug!("everything is compared: {unproved}"),
        }
    }
    tiu_extract::plan(job)
}

/// The start of a comparison that a seal will rest on.
pub struct SealStart {
    transaction: u64,
    device_errors: Vec<u64>,
}

impl SealStart {
    /// Notes the transaction of `tree`, before it is compared. Whatever changes from now on has a
    /// higher one.
    pub fn new(tree: &Tree) -> Option<Self> {
        let start = || -> io::Result<Option<Self>> {
            let Some(subvolume) = Subvolume::open(tree.fd())? else { return Ok(None) };
            let device_errors = subvolume.device_errors()?;
            subvolume.sync()?;
            Ok(Some(SealStart { transaction: subvolume.facts()?.generation, device_errors }))
        };
        start().ok().flatten()
    }

    /// Returns the seal of `tree`, which was compared with the index of `manifest` by `rules` and
    /// did not differ. `proved` is what the comparison relied on, if it did not look at everything.
    pub fn seal(
        self,
        tree: &Tree,
        manifest: &Manifest,
        rules: &Rules,
        record: &Record,
        proved: Option<&SealedTree>,
    ) -> Option<Seal> {
        match seal(self, tree, manifest, rules, record, proved) {
            Ok(seal) => Some(seal),
            Err(reason) => {
                tracing::debug!("the snapshot is not sealed: {reason}");
                None
            }
        }
    }
}

fn seal(
    start: SealStart,
    tree: &Tree,
    manifest: &Manifest,
    rules: &Rules,
    record: &Record,
    proved: Option<&SealedTree>,
) -> Result<Seal, String> {
    let text = |e: io::Error| e.to_string();
    let etc = TreePath::literal("etc");
    let outside = rules.host_paths.iter().chain(&rules.keep).filter(|path| !path.starts_with(etc));
    let mut unproved: Vec<TreePathBuf> = outside.cloned().collect();
    unproved.push(etc.to_owned());
    unproved.sort();
    unproved.dedup();
    let subvolume = Subvolume::open(tree.fd()).map_err(text)?.ok_or("not a btrfs subvolume")?;
    let SealStart { transaction, mut device_errors } = start;
    let mut without_checksums = Vec::new();
    let found = match proved {
        Some(base) => {
            let seal = base.seal();
            without_checksums.clone_from(&seal.without_checksums);
            // What was not looked at is as good as it was then.
            device_errors.clone_from(&seal.device_errors);
            subvolume.changes_since(seal.transaction).map_err(text)?.without_checksums
        }
        None => subvolume.files_without_checksums().map_err(text)?,
    };
    let too_many = |count: usize| {
        let too_many = format!("{count} files have no checksums");
        if count > MAX_WITHOUT_CHECKSUMS { Err(too_many) } else { Ok(()) }
    };
    too_many(found.len())?;
    let mut names = subvolume.names();
    for inode in found {
        for path in names.paths(inode).map_err(text)? {
            without_checksums.push(TreePathBuf::new(path).map_err(|e| e.to_string())?);
        }
    }
    let state = STATE_DIR;
    without_checksums.retain(|path| {
        let covered = unproved.iter().any(|unproved| path.starts_with(unproved)) || path.starts_with(state);
        !covered && tree.stat(path).is_some()
    });
    without_checksums.sort();
    without_checksums.dedup();
    too_many(without_checksums.len())?;
    Ok(Seal {
        filesystem: subvolume.filesystem().map_err(text)?,
        subvolume: subvolume.facts().map_err(text)?.uuid,
        transaction,
        index: manifest.tiu.index_digest.to_string(),
        uids: record.uids.clone(),
        gids: record.gids.clone(),
        unproved,
        without_checksums,
        device_errors,
    })
}
