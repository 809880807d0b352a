//! The one door to what boots next.
//!
//! The default subvolume and the boot entries must agree, so one type changes both: for an update,
//! its undo, a rollback, a change of `/etc` in a new snapshot, and the deletion of a snapshot.
//! Nothing else in tiu sets the default or deletes a snapshot.

use super::error::BootError;
use super::loader::BootLoader;
use crate::host::Host;
use crate::snapshots::{Snapshot, SnapshotError, btrfs, delete};
use tiu_system::ioctl;
use tiu_system::progress::Cancel;
use tiu_system::tree::Tree;

/// What boots next, on one host with one boot loader. The caller holds the host's lock.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    host: &'a Host,
    loader: &'a dyn BootLoader,
}

impl<'a> Next<'a> {
    /// Returns the door to what boots next on `host`, which boots by `loader`.
    pub fn new(host: &'a Host, loader: &'a dyn BootLoader) -> Self {
        Next { host, loader }
    }

    /// Returns the host.
    pub fn host(&self) -> &'a Host {
        self.host
    }

    /// Writes what the boot loader needs in an unfinished snapshot. Returns the paths.
    pub fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError> {
        self.loader.prepare(target)
    }

    /// Makes `to` what boots next: first its boot entry, then the default, which is the one moment
    /// that counts. A cancellation in between leaves the old default.
    ///
    /// A crash before this returns leaves the old default or the new one, and both boot.
    pub fn switch(&self, to: &Snapshot, cancel: &Cancel) -> Result<(), BootError> {
        self.loader.add(self.host, to)?;
        cancel.check()?;
        Ok(set_default(self.host, to.number)?)
    }

    /// Deletes snapshot `number`, its boot entry first. Refuses the running one and the one that
    /// boots next.
    ///
    /// A crash leaves the snapshot, perhaps without its entry.
    pub fn delete(&self, number: u32) -> Result<(), BootError> {
        let snapshot = self.host.snapshot(number)?;
        delete::check_unused(&snapshot)?;
        self.loader.remove(self.host, &snapshot)?;
        Ok(delete::delete(self.host, &snapshot)?)
    }

    /// Undoes an unfinished `target` that was made from `base`: `base` boots next again where that
    /// had changed, and `target` is deleted.
    pub fn undo(&self, base: &Snapshot, target: u32) -> Result<(), BootError> {
        if self.host.snapshot(target)?.default {
            self.switch(base, &Cancel::new())?;
        }
        self.delete(target)
    }
}

/// Makes `number` the default, reads it back, and makes it last: before this returns the old
/// default or the new one boots, afterwards the new one.
///
/// For the running system, snapper sets it where it can, because its plugins write boot entries.
/// For another root it is set directly: those plugins would write the running system's entries.
fn set_default(host: &Host, number: u32) -> Result<(), SnapshotError> {
    let wanted = host.snapshot(number)?;
    if host.is_live() && host.snapper.knows_default()? {
        host.snapper.set_default(number)?;
    } else {
        let path = host.snapshot_path(number);
        ioctl::set_default_subvolume(host.snapshots_fd(), wanted.id)
            .map_err(|source| SnapshotError::Btrfs { what: "making the default:", path, source })?;
    }
    let found = host.default_id()?;
    if found != wanted.id {
        return Err(SnapshotError::NotDone {
            what: format!("make snapshot {number} the default"),
            found: format!("subvolume {found} is the default, expected {}", wanted.id),
            output: String::new(),
        });
    }
    btrfs("syncing", host.root(), libbtrfsutil::sync(host.root()))
}
