//! Removes the leftovers of interrupted runs.

use crate::boot::{BootError, Next};
use crate::snapshots::{State, leftovers};

/// Removes what earlier runs left unfinished, and returns the numbers. The caller holds the host's
/// lock, so the owners of those snapshots are gone.
///
/// The snapshot that runs or boots next stays, and is marked as done where a run was interrupted
/// right after its commit point. A pinned snapshot stays.
pub fn clean_up(next: Next) -> Result<Vec<u32>, BootError> {
    let host = next.host();
    next.reconcile()?;
    let mut removed = leftovers::clean_up_creation(host)?;
    for snapshot in host.snapshots()? {
        if snapshot.is_committed() {
            leftovers::remove_half_entries(host, snapshot.number)?;
            host.set_done(&snapshot)?;
        } else if snapshot.state() == State::InProgress
            && !snapshot.active
            && !snapshot.default
            && !snapshot.is_pinned()
        {
            leftovers::remove_half_entries(host, snapshot.number)?;
            next.delete(snapshot.number)?;
            removed.push(snapshot.number);
        }
    }
    Ok(removed)
}
