//! Commit: from a checked snapshot to what boots next.
//!
//! The order is what makes it safe. The snapshot is complete, read-only (where the base is) and marked as checked, and all of that is on
//! the disk, before the default is set. The default is one item of btrfs' root tree: after a power cut it is the old one or the new one.
//!
//! That mark counts as unfinished as long as the snapshot is not the default, so that a run that is cut off right before leaves nothing
//! that would stay for ever, and as done from then on, so that one that is cut off right after has done its work.

use super::preflight::Ready;
use super::{ApplyError, Context};
use crate::boot::boot_loader;
use crate::config::Config;
use crate::host::Host;
use crate::snapshots::{CHECKED, COMPATIBLE_KEY, STATE_KEY, Snapshot, VERSION_KEY};
use tiu_system::progress::Cancel;

/// Makes `target` the default, and marks it as done.
pub fn run(context: &Context, ready: &Ready, target: &Snapshot) -> Result<(), ApplyError> {
    let Context { host, config, cancel, .. } = *context;
    let manifest = &ready.bundle.manifest;
    make_default(host, config, target, ready.base.read_only, &manifest.version, &manifest.compatible, cancel)
}

/// The same for any snapshot that is complete, with what its userdata says of its image.
pub fn make_default(
    host: &Host,
    config: &Config,
    target: &Snapshot,
    read_only: bool,
    version: &str,
    compatible: &str,
    cancel: &Cancel,
) -> Result<(), ApplyError> {
    if read_only {
        host.set_read_only(target.number, true)?;
    }
    let userdata = [(STATE_KEY, CHECKED), (VERSION_KEY, version), (COMPATIBLE_KEY, compatible)];
    host.set_userdata(target.number, &userdata)?;
    // From memory to the disk: content, metadata, the mark. Without it a power cut after the switch leaves empty files.
    host.sync().map_err(ApplyError::Sync)?;
    boot_loader(config.boot).commit(host, target)?;
    if cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    // The commit point.
    host.set_default(target.number)?;
    // Whatever happens now, the new snapshot boots, and so counts as done; the next run marks it.
    let _ = host.set_done(target);
    Ok(())
}
