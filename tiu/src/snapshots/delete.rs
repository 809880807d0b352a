//! Deletes a snapshot. Only the room `boot` calls this, because a boot entry is removed before its
//! snapshot.

use super::error::SnapshotError;
use super::flags::{unlock, unlock_entry};
use super::model::Snapshot;
use super::nested::delete_nested;
use crate::host::Host;

/// Refuses the snapshot that runs and the one that boots next.
pub(crate) fn check_unused(snapshot: &Snapshot) -> Result<(), SnapshotError> {
    match (snapshot.active, snapshot.default) {
        (true, _) => Err(SnapshotError::InUse { number: snapshot.number, why: "is running" }),
        (_, true) => Err(SnapshotError::InUse { number: snapshot.number, why: "boots next" }),
        _ => Ok(()),
    }
}

/// Deletes a snapshot that is not in use, and reads back that it is gone.
pub(crate) fn delete(host: &Host, snapshot: &Snapshot) -> Result<(), SnapshotError> {
    let number = snapshot.number;
    check_unused(snapshot)?;
    let path = host.snapshot_path(number);
    unlock_entry(host, number)?;
    if path.is_dir() {
        unlock(&path)?;
    }
    let first = host.snapper.delete(number);
    if !path.exists() {
        return Ok(());
    }
    // A nested subvolume is in the way, unless a plugin of snapper took care of it.
    let output = match delete_nested(&path)? {
        0 => first?,
        _ => host.snapper.delete(number)?,
    };
    if path.exists() {
        return Err(SnapshotError::NotDone {
            what: format!("delete snapshot {number}"),
            found: format!("{} still exists", path.display()),
            output: format!("{} {}", output.stdout.trim(), output.stderr.trim()),
        });
    }
    Ok(())
}
