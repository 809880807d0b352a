//! Finish: makes the files that only the host can make, with the new system's own programs: the
//! initrd. They are recorded in the snapshot, and labelled if the new system uses SELinux.

use super::context::Context;
use super::error::ApplyError;
use super::fill::Filled;
use super::initrd;
use super::labels;
use super::preflight::Ready;
use crate::draft::Draft;
use crate::state::Record;

/// Makes what is to be made in the filled draft, and records it there.
pub fn finish(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    draft: &Draft,
) -> Result<Record, ApplyError> {
    let tree = draft.tree();
    let mut record = Record::new(&filled.etc.rules.uids, &filled.etc.rules.gids);
    record.persistent = ready.persistent.to_record.clone();
    initrd::make(context, ready, draft, &mut record)?;
    for path in context.next.prepare(tree)? {
        record.add(tree, &path)?;
    }
    let labels = labels::ask(context, ready, filled, &mut record, draft)?;
    record.write(tree)?;
    labels.set(tree)?;
    tiu_extract::restore_flags(tree.fd(), &filled.flags)?;
    Ok(record)
}
