//! Check: the new snapshot is compared with the index again: every inode's metadata, and all
//! content where a program of the new system ran in it. If none ran, the content is already known:
//! fill read back each file that it made, and computed the digest of each file that it kept.
//! Accounts are compared with the decision about them. Finally the parts that a boot needs are
//! checked.

use super::bootable;
use super::context::Context;
use super::error::ApplyError;
use super::fill::Filled;
use super::preflight::Ready;
use crate::draft::Draft;
use crate::etc::pristine;
use crate::labels::Labelling;
use crate::state::Record;
use tiu_extract::{Plan, ReadBack};

/// Fails with every difference but those that finish recorded.
pub fn check(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    record: &Record,
    draft: &Draft,
) -> Result<(), ApplyError> {
    let programs_ran = !record.files.is_empty() || matches!(ready.labelling, Labelling::By(..));
    fn read_back(programs_ran: bool, plan: &Plan) -> ReadBack<'_> {
        if programs_ran { ReadBack::All } else { ReadBack::Executed(plan) }
    }
    let mut rules = filled.etc.rules.clone();
    rules.keep.extend(record.files.iter().map(|file| file.path.clone()));
    let watch = context.watch;
    let tree = draft.tree();
    let depth = read_back(programs_ran, &filled.plan);
    let mut differences = tiu_extract::check(&ready.index, tree.fd(), &rules, depth, watch)?;
    let depth = read_back(programs_ran, &filled.pristine);
    differences.extend(pristine::check(tree, &ready.index, &rules, depth, watch)?);
    differences.extend(filled.etc.accounts.check(tree, &filled.etc.report)?);
    if !differences.is_empty() {
        return Err(ApplyError::Differs(differences));
    }
    bootable::check_snapshot(context, ready, tree)
}
