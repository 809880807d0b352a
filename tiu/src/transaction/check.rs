//! Check: the new snapshot is compared with the index again: every inode's metadata, and all
//! content where a program of the new system ran in it. If none ran, the content is already known:
//! fill read back each file that it made, and computed the digest of each file that it kept.
//! Whatever the seal of the base proves is not looked at again. Accounts are compared with the
//! decision about them. Finally the parts that a boot needs are checked.

use super::bootable;
use super::context::Context;
use super::error::ApplyError;
use super::fill::Filled;
use super::preflight::Ready;
use super::sealed::SealStart;
use crate::draft::Draft;
use crate::etc::pristine;
use crate::host::Seal;
use crate::labels::Labelling;
use crate::state::{Record, SealedTree};
use tiu_extract::{Plan, ReadBack, Unproved};

/// Fails with every difference but those that finish recorded. Returns the seal of the snapshot, if
/// it can be sealed.
pub fn check(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    record: &Record,
    draft: &Draft,
) -> Result<Option<Seal>, ApplyError> {
    let programs_ran = !record.files.is_empty() || matches!(ready.labelling, Labelling::By(..));
    fn read_back(programs_ran: bool, plan: &Plan) -> ReadBack<'_> {
        if programs_ran { ReadBack::All } else { ReadBack::Executed(plan) }
    }
    let mut rules = filled.etc.rules.clone();
    rules.keep.extend(record.files.iter().map(|file| file.path.clone()));
    let watch = context.watch;
    let tree = draft.tree();
    let start = SealStart::new(tree);
    let depth = read_back(programs_ran, &filled.plan);
    let covered = |sealed: &&SealedTree| filled.plan.is_partial() && sealed.covers(tree);
    let sealed = ready.sealed.as_ref().filter(covered);
    let proof = sealed.map(SealedTree::proof);
    let by_proof = match &proof {
        Some(proof) => tiu_extract::check_changes(&ready.index, tree.fd(), &rules, proof, depth, watch)?,
        None => Err(Unproved::default()),
    };
    let is_proved = by_proof.is_ok();
    let mut differences = match by_proof {
        Ok(differences) => differences,
        Err(unproved) => {
            tracing::debug!("everything is compared: {unproved}");
            // What a partial plan did not look at is read now.
            let depth = if filled.plan.is_partial() { ReadBack::All } else { depth };
            tiu_extract::check(&ready.index, tree.fd(), &rules, depth, watch)?
        }
    };
    let depth = read_back(programs_ran, &filled.pristine);
    differences.extend(pristine::check(tree, &ready.index, &rules, depth, watch)?);
    differences.extend(filled.etc.accounts.check(tree, &filled.etc.report)?);
    if !differences.is_empty() {
        return Err(ApplyError::Differs(differences));
    }
    bootable::check_snapshot(context, ready, tree)?;
    let proved = sealed.filter(|_| is_proved);
    let manifest = &ready.bundle.manifest;
    Ok(start.and_then(|start| start.seal(tree, manifest, &rules, record, proved)))
}
