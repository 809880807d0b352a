//! A reboot that the host still has before it.

use super::context::Context;
use crate::outcome::NothingToDo;
use crate::snapshots::Snapshot;
use crate::state::{ImageState, Provenance};

/// Returns why an unattended update waits: `base` boots next, does not run yet, and holds another
/// image than what runs. A new snapshot of the running image, such as a change of `/etc` makes, is
/// not waited for.
pub fn pending(context: &Context, base: &Snapshot, state: &ImageState) -> Option<NothingToDo> {
    if base.active {
        return None;
    }
    let running = Provenance::unverified(context.host().root());
    let next = state.provenance().map(|provenance| &provenance.manifest);
    if let (Some(running), Some(next)) = (&running, next)
        && running.verity_hash == next.verity_hash
    {
        return None;
    }
    Some(NothingToDo::RebootPending { number: base.number, version: next.map(|next| next.version.clone()) })
}
