//! What the door asks of a boot loader.

use super::error::BootError;
use crate::host::Host;
use crate::snapshots::Snapshot;
use tiu_system::tree::Tree;

/// A boot loader: how a snapshot's entry comes and goes.
///
/// Only [`Next`](super::Next) calls these, except `prepare`, which writes into a snapshot that is
/// not finished. Each call can be the last before a power cut: whatever booted before it must still
/// boot after it.
pub trait BootLoader {
    /// Writes what must lie in the snapshot, before it is checked and becomes read-only. Returns
    /// the paths that were written; they go into the snapshot's record.
    fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError>;

    /// Makes sure that `snapshot` has a boot entry. Everything else of the snapshot is on the disk,
    /// and the default is not set yet: a crash afterwards still boots the old default.
    fn add(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError>;

    /// Removes the boot entry of `snapshot`, if it has one. The snapshot is deleted right after.
    fn remove(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError>;
}
