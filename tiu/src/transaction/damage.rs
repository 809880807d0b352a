//! A base of which the filesystem cannot read a part.
//!
//! Content is written again. Damaged metadata is more: btrfs stops writing to the whole filesystem
//! if a change reaches a block that it cannot read, and a copy of the base shares those blocks. The
//! new snapshot then starts empty. It gets the host's part of the base and everything else from the
//! image, as far as the base has no good copy of it.

use super::context::Context;
use super::error::ApplyError;
use super::preflight::Ready;
use crate::draft::Draft;
use crate::etc::{EtcPlan, decide};
use std::path::PathBuf;
use tiu_extract::{ClearedFlags, Job, Plan};

/// Returns what the administrator should know about damage that the plan found in snapshot `base`.
pub(super) fn warning(base: u32, plan: &Plan) -> Option<String> {
    let unreadable = plan.unreadable();
    let first = unreadable.iter().find(|path| path.metadata).or(unreadable.first())?;
    let count = match unreadable.len() {
        1 => "a part".to_owned(),
        count => format!("{count} parts"),
    };
    let remedy = if plan.is_possible() {
        "that is written again from the image"
    } else {
        "the new snapshot is not a copy of it: it is made from the image and what is the host's"
    };
    Some(format!(
        "the filesystem cannot read {count} of snapshot {base} (the first: {}: {}): {remedy}; see dmesg and \
         `btrfs scrub`",
        first.path.absolute(),
        first.what
    ))
}

/// The decisions with which a draft is filled.
pub(super) struct DraftPlan {
    pub etc: EtcPlan,
    pub plan: Plan,
    /// The trees that `plan` shares content with.
    pub seeds: Vec<PathBuf>,
    /// The inode flags of what is the host's, which it gets at the end.
    pub flags: Vec<ClearedFlags>,
}

/// Puts the host's part of the base into the empty `draft`, and plans the rest of it.
pub(super) fn start(context: &Context, ready: &Ready, draft: &Draft) -> Result<DraftPlan, ApplyError> {
    let base = ready.state.tree();
    let etc = if ready.base.read_only && ready.host_rules.subvolumes.is_empty() {
        ready.etc.clone()
    } else {
        decide(&ready.etc_update(context, &ready.state, &ready.host_rules)?)?
    };
    let tree = draft.tree();
    let flags = tiu_extract::carry_over(base.fd(), tree.fd(), &etc.rules, context.watch)?;
    let seeds = vec![base.descriptor_path()];
    let plan = tiu_extract::plan(&Job { seeds: &seeds, ..ready.job(context, tree, &etc.rules) })?;
    Ok(DraftPlan { etc, plan, seeds, flags })
}
