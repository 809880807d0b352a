//! Commit: from a checked snapshot to what boots next.
//!
//! The order is what makes it safe. The snapshot is complete, read-only (where the base is) and marked as done, and all of that is on
//! the disk, before the default is set. The default is one item of btrfs' root tree: after a power cut it is the old one or the new one.

use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::boot::boot_loader;
use crate::snapshots::{COMPATIBLE_KEY, STATE_KEY, Snapshot, VERSION_KEY};

/// Marks `target` as done and makes it the default.
pub fn run(context: &Context, ready: &Ready, target: &Snapshot) -> Result<(), ApplyError> {
    let (host, manifest) = (context.host, &ready.bundle.manifest);
    if ready.base.read_only {
        host.set_read_only(target.number, true)?;
    }
    host.set_userdata(
        target.number,
        &[(STATE_KEY, "done"), (VERSION_KEY, &manifest.version), (COMPATIBLE_KEY, &manifest.compatible)],
    )?;
    rustix::fs::syncfs(host.snapshots_fd()).map_err(|e| ApplyError::Sync(e.into()))?;
    boot_loader(context.config.boot).commit(host, target)?;
    super::go_on(context)?;
    // The commit point.
    Ok(host.set_default(target.number)?)
}
