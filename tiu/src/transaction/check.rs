//! Check: the new snapshot is compared with the index once more, and what was written is read back.

use super::fill::Filled;
use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::record::Record;
use tiu_extract::engine::{self, ReadBack, Rules};

/// Fails with every difference but those that finish recorded. Afterwards all is on the disk.
pub fn run(context: &Context, ready: &Ready, filled: &Filled, record: &Record) -> Result<(), ApplyError> {
    let mut rules = Rules { ..ready.rules.clone() };
    rules.keep.extend(record.files.iter().map(|file| file.path.clone().into_bytes()));
    let (index, what) = (&ready.index, ReadBack::WrittenBy(&filled.plan));
    let differences = engine::check(index, filled.tree.fd(), &rules, what, context.progress, context.cancel)?;
    if !differences.is_empty() {
        return Err(ApplyError::Differs(differences));
    }
    rustix::fs::syncfs(filled.tree.fd()).map_err(|e| ApplyError::Sync(e.into()))
}
