//! The note of the snapshot that is being made what boots next: an attribute of `.snapshots`, which
//! no rollback changes.

use crate::host::Host;
use crate::snapshots::SnapshotError;
use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

/// The attribute. Its value is the UUID of the snapshot.
const ATTRIBUTE: &str = "trusted.tiu.switching";
/// Length in bytes of a UUID as text.
const LENGTH: usize = 36;

fn failed(host: &Host, what: &'static str, source: std::io::Error) -> SnapshotError {
    SnapshotError::Btrfs { what, path: host.root().join(".snapshots"), source }
}

/// Notes the snapshot of this UUID. The note is on the disk when this returns.
pub(super) fn set(host: &Host, uuid: &str) -> Result<(), SnapshotError> {
    fsetxattr(host.snapshots_fd(), ATTRIBUTE, uuid.as_bytes(), XattrFlags::empty())
        .map_err(|e| failed(host, "marking", e.into()))?;
    host.sync().map_err(|e| failed(host, "syncing", e))
}

/// Returns the UUID that was noted.
pub(super) fn get(host: &Host) -> Result<Option<String>, SnapshotError> {
    let mut value = [0; LENGTH];
    match fgetxattr(host.snapshots_fd(), ATTRIBUTE, &mut value[..]) {
        Ok(length) => Ok(Some(String::from_utf8_lossy(value.get(..length).unwrap_or_default()).into_owned())),
        Err(Errno::NODATA) => Ok(None),
        // Not a UUID, so nothing that is being made.
        Err(Errno::RANGE) => Ok(Some(String::new())),
        Err(e) => Err(failed(host, "reading the mark of", e.into())),
    }
}

/// Removes the note.
pub(super) fn clear(host: &Host) -> Result<(), SnapshotError> {
    match fremovexattr(host.snapshots_fd(), ATTRIBUTE) {
        Ok(()) | Err(Errno::NODATA) => Ok(()),
        Err(e) => Err(failed(host, "removing the mark of", e.into())),
    }
}
