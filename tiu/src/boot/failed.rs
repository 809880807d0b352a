//! Images that did not start: the host remembers them, so that they are not applied again by
//! themselves.

use super::error::BootError;
use crate::host::{FailedImage, Host, Memory, Recalled, now_in_seconds};
use crate::snapshots::Snapshot;
use crate::state::Provenance;
use tiu_bundle::manifest::Manifest;
use tiu_system::text::printable;

/// Makes the host remember that the image in `snapshot` failed. A snapshot without an image, and a
/// memory that cannot be read, are only a warning: the host must go on.
///
/// A crash leaves the old memory or the new one.
pub(super) fn remember(
    host: &Host,
    snapshot: &Snapshot,
    reason: &str,
    boots: Option<u32>,
) -> Result<(), BootError> {
    let number = snapshot.number;
    let Some(manifest) = manifest(host, snapshot) else {
        tracing::warn!("snapshot {number} failed, and what image it has is not known: {}", printable(reason));
        return Ok(());
    };
    let Some(mut memory) = memory(host)? else {
        tracing::warn!("that snapshot {number} failed cannot be noted: {}", printable(reason));
        return Ok(());
    };
    let when = now_in_seconds();
    let failed = FailedImage::new(&manifest.compatible, &manifest.version, reason, boots, when);
    memory.note_failed(&manifest.verity_hash.to_string(), failed);
    Ok(host.remember(&memory)?)
}

/// Makes the host forget that the image in `snapshot` failed. Returns true if it had.
pub(super) fn forgive(host: &Host, snapshot: &Snapshot) -> Result<bool, BootError> {
    let (Some(manifest), Some(mut memory)) = (manifest(host, snapshot), memory(host)?) else {
        return Ok(false);
    };
    let had = memory.failed.remove(&manifest.verity_hash.to_string()).is_some();
    if had {
        host.remember(&memory)?;
    }
    Ok(had)
}

fn manifest(host: &Host, snapshot: &Snapshot) -> Option<Manifest> {
    Provenance::unverified(&host.snapshot_path(snapshot.number))
}

/// Returns the host's memory, if it can be written without a loss. A missing one is not made here:
/// it would hide that the host once knew the newest image.
fn memory(host: &Host) -> Result<Option<Memory>, BootError> {
    Ok(match host.recall()? {
        Recalled::Known(memory) => Some(memory),
        Recalled::Missing | Recalled::Damaged(_) | Recalled::Future(_) => None,
    })
}
