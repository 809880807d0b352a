//! Check: the new snapshot is compared with the index once more: every inode's metadata, and all content where a program of the new
//! system ran in it. Where none did, content is known: fill read back each file that it made, and digested what it kept. Accounts are
//! compared with what was decided about them.

use super::fill::Filled;
use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::etc::pristine;
use crate::state::record::Record;
use tiu_extract::{ReadBack, Rules};

/// Fails with every difference but those that finish recorded.
pub fn run(context: &Context, ready: &Ready, filled: &Filled, record: &Record) -> Result<(), ApplyError> {
    let mut rules = Rules { ..filled.etc.rules.clone() };
    rules.keep.extend(record.files.iter().map(|file| file.path.clone().into_bytes()));
    let what = |plan| match record.files.is_empty() {
        true => ReadBack::Executed(plan),
        false => ReadBack::All,
    };
    let Context { progress, cancel, .. } = *context;
    let plan = what(&filled.plan);
    let mut differences = tiu_extract::check(&ready.index, filled.tree.fd(), &rules, plan, progress, cancel)?;
    let what = what(&filled.pristine);
    differences.extend(pristine::check(&filled.tree, &ready.index, &rules, what, progress, cancel)?);
    differences.extend(filled.etc.accounts.check(&filled.tree, &filled.etc.report)?);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(ApplyError::Differs(differences)),
    }
}
