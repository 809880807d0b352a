//! Finish: what only the host can make, made with the new system's own programs: the initrd. What
//! was made is recorded in the snapshot.
//!
//! SELinux labels have their place here too. No host that needs them is supported yet.

use super::context::Context;
use super::error::ApplyError;
use super::fill::Filled;
use super::preflight::Ready;
use super::stage::Stage;
use crate::boot::initrd::{Dracut, InitrdPlan};
use crate::draft::Draft;
use crate::namespace::Profile;
use crate::namespace::target::InTarget;
use crate::state::record::Record;
use std::ffi::OsString;
use tiu_system::program::RunError;
use tiu_system::tree::Tree;

/// Makes what is to be made in the filled draft, and records it there.
pub fn finish(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    draft: &Draft,
) -> Result<Record, ApplyError> {
    let tree = draft.tree();
    let mut record = Record::new(&filled.etc.rules.uids, &filled.etc.rules.gids);
    record.persistent = ready.persistent.remember.clone();
    if let InitrdPlan::Dracut(plan) = &ready.initrd {
        let version = ready.bundle.manifest.version.as_str();
        context.stage(Stage::Initrd, Some(draft.number()), Some(version), || dracut(context, tree, plan))?;
        record.add(tree, &plan.path)?;
        if let Some((link, target)) = &plan.link {
            tree.symlink(link, target)?;
            record.add(tree, link)?;
        }
    }
    for path in context.next.prepare(tree)? {
        record.add(tree, &path)?;
    }
    record.write(tree)?;
    Ok(record)
}

/// Runs the new system's dracut in it. An initrd that another machine will boot must not be made
/// for the devices of this one.
fn dracut(context: &Context, tree: &Tree, plan: &Dracut) -> Result<(), ApplyError> {
    let live = context.host().is_live();
    let mut command: Vec<OsString> = vec![format!("/{}", plan.program).into(), "--force".into()];
    if !live {
        command.push("--no-hostonly".into());
    }
    command.push(format!("/{}", plan.path).into());
    command.push(plan.kernel.clone().into());
    let run = InTarget { target: tree.path().to_owned(), profile: Profile::dracut(live), command };
    match run.run(context.watch.cancel()) {
        Ok(_) => Ok(()),
        Err(RunError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(source) => Err(ApplyError::Dracut { kernel: plan.kernel.clone(), source }),
    }
}
