//! The one door to what boots next.
//!
//! The default subvolume and the boot entries must agree, so one type changes both: for an update,
//! its undo, a rollback, a change of `/etc` in a new snapshot, and the deletion of a snapshot.
//! Nothing else in tiu sets the default or deletes a snapshot.

use super::error::BootError;
use super::failed;
use super::loader::{BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, Selected, Standing};
use super::note;
use super::sequence::{self, Reconciled, Steps};
use crate::host::Host;
use crate::snapshots::{CHECKED, STATE_KEY, Snapshot, SnapshotError, btrfs, delete};
use tiu_system::ioctl;
use tiu_system::progress::Cancel;
use tiu_system::tree::Tree;

/// The door to what boots next, on one host with one boot loader. The caller holds the host's lock.
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

    /// Returns what the boot loader is and why it is used.
    pub fn facts(&self) -> LoaderFacts {
        self.loader.facts()
    }

    /// Returns what boots next, and what boots if that does not start.
    pub fn selected(&self) -> Result<Selected, BootError> {
        self.loader.selected(self.host)
    }

    /// Checks that an update with these files could be made what boots next. Writes nothing.
    pub fn preflight(&self, need: &Need) -> Result<(), BootError> {
        self.loader.preflight(self.host, need)
    }

    /// Writes what the boot loader needs in an unfinished snapshot. Returns the paths.
    pub fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError> {
        self.loader.prepare(target)
    }

    /// Makes `to` what boots next, by one write that counts: the boot loader's where that decides,
    /// else the default. A cancellation before it changes nothing.
    ///
    /// A crash before this returns leaves what booted before or `to`, and both boot. This returns
    /// only if the boot loader and the default both say `to`.
    pub fn switch(&self, to: &Snapshot, standing: Standing, cancel: &Cancel) -> Result<(), BootError> {
        sequence::switch(self, to.number, standing, cancel)
    }

    /// Brings the boot loader and the default into agreement: completes a change that was
    /// interrupted, follows a boot loader that went back by itself, and takes over what another
    /// program made the default.
    pub fn reconcile(&self) -> Result<Reconciled, BootError> {
        let reconciled = sequence::reconcile(self)?;
        match &reconciled {
            Reconciled::InOrder => {}
            Reconciled::Completed { number } => {
                tracing::warn!("an interrupted run had made snapshot {number} what boots next");
            }
            Reconciled::WentBack { to, failed } => {
                tracing::warn!("snapshot {failed} did not start; the boot loader went back to {to}");
            }
            Reconciled::Kept { to, unbootable } => {
                tracing::warn!("snapshot {unbootable} was the default and cannot boot; {to} boots next");
            }
            Reconciled::Adopted { number } => {
                tracing::warn!("another program had made snapshot {number} the default; it boots next");
            }
        }
        self.forgive_running()?;
        Ok(reconciled)
    }

    /// Makes the host forget that the running image failed, if its entry is good by now:
    /// systemd-bless-boot says so too, not only `tiu mark-good`.
    fn forgive_running(&self) -> Result<(), BootError> {
        if self.loader.decides() == Decides::Default || !self.host.is_live() {
            return Ok(());
        }
        let running = self.host.snapshots()?.into_iter().find(|snapshot| snapshot.active);
        if let Some(running) = running
            && self.entry(&running)? == EntryState::Good
            && failed::forgive(self.host, &running)?
        {
            tracing::info!("the image in snapshot {} failed once, and works now", running.number);
        }
        Ok(())
    }

    /// Fails unless `number` boots next.
    pub fn check_boots(&self, number: u32) -> Result<(), BootError> {
        sequence::check(self, number)
    }

    /// Returns the state of the boot entry of `snapshot`.
    pub fn entry(&self, snapshot: &Snapshot) -> Result<EntryState, BootError> {
        self.loader.entry(self.host, snapshot)
    }

    /// Marks `snapshot` as good: it is no longer on trial, and the host forgets that its image
    /// failed. Returns false if there was nothing to change.
    pub fn mark_good(&self, snapshot: &Snapshot) -> Result<bool, BootError> {
        let counted = matches!(self.entry(snapshot)?, EntryState::Trial(_) | EntryState::Exhausted(_));
        if counted {
            self.loader.mark(self.host, snapshot, Mark::Good)?;
        }
        Ok(failed::forgive(self.host, snapshot)? || counted)
    }

    /// Makes the host remember that `snapshot` does not work, makes `to` boot next if there is one,
    /// and marks the entry of `snapshot` as bad.
    ///
    /// A crash leaves an image that is remembered as failed; another call does the rest.
    pub fn mark_bad(
        &self,
        snapshot: &Snapshot,
        reason: &str,
        to: Option<&Snapshot>,
    ) -> Result<(), BootError> {
        failed::remember(self.host, snapshot, reason, None)?;
        if let Some(to) = to {
            self.switch(to, Standing::Kept, &Cancel::new())?;
        }
        self.loader.mark(self.host, snapshot, Mark::Bad)
    }

    /// Deletes snapshot `number`, its boot entry first. Refuses the running one and the one that
    /// boots next.
    ///
    /// A crash leaves the snapshot, perhaps without its entry.
    pub fn delete(&self, number: u32) -> Result<(), BootError> {
        let snapshot = self.host.snapshot(number)?;
        delete::check_unused(&snapshot)?;
        if self.loader_boots(number)? {
            return Err(SnapshotError::InUse { number, why: "boots next" }.into());
        }
        self.loader.forget(self.host, &snapshot)?;
        Ok(delete::delete(self.host, &snapshot)?)
    }

    /// Removes the boot entry of a snapshot that another program is about to delete. Refuses the
    /// running one and the one that boots next, which that program does not delete either. Does not
    /// ask snapper.
    pub fn forget(&self, snapshot: &Snapshot) -> Result<(), BootError> {
        delete::check_unused(snapshot)?;
        self.loader.forget(self.host, snapshot)
    }

    /// Undoes an unfinished `target` that was made from `base`: `base` boots next again where that
    /// had changed, and `target` is deleted.
    pub fn undo(&self, base: &Snapshot, target: u32) -> Result<(), BootError> {
        if self.host.snapshot(target)?.default || self.loader_boots(target)? {
            self.switch(base, Standing::Kept, &Cancel::new())?;
        } else if self.loader.decides() == Decides::Loader {
            note::clear(self.host)?;
        }
        self.delete(target)
    }

    /// Returns true if the boot loader decides, and boots `number`.
    fn loader_boots(&self, number: u32) -> Result<bool, BootError> {
        Ok(self.loader.decides() == Decides::Loader && self.selected()?.next.number() == Some(number))
    }
}

impl Steps for Next<'_> {
    fn decides(&self) -> Decides {
        self.loader.decides()
    }

    fn stage(&self, to: u32) -> Result<(), BootError> {
        self.loader.stage(self.host, &self.host.snapshot(to)?)
    }

    fn note(&self, to: u32) -> Result<(), BootError> {
        Ok(note::set(self.host, &self.host.snapshot(to)?.uuid)?)
    }

    fn noted(&self) -> Result<Option<u32>, BootError> {
        let Some(uuid) = note::get(self.host)? else { return Ok(None) };
        let noted = self.host.snapshots()?.into_iter().find(|snapshot| snapshot.uuid == uuid);
        // 0 is never a snapshot: a note of one that is gone is still a note.
        Ok(Some(noted.map_or(0, |snapshot| snapshot.number)))
    }

    fn clear_note(&self) -> Result<(), BootError> {
        Ok(note::clear(self.host)?)
    }

    fn select(&self, to: u32, standing: Standing) -> Result<(), BootError> {
        self.loader.select(self.host, &self.host.snapshot(to)?, standing)
    }

    fn boots_next(&self) -> Result<Boots, BootError> {
        Ok(self.selected()?.next)
    }

    fn default(&self) -> Result<Option<u32>, BootError> {
        Ok(self.host.snapshots()?.into_iter().find(|snapshot| snapshot.default).map(|found| found.number))
    }

    fn set_default(&self, to: u32) -> Result<(), BootError> {
        Ok(set_default(self.host, to)?)
    }

    fn entry(&self, number: u32) -> Result<EntryState, BootError> {
        self.loader.entry(self.host, &self.host.snapshot(number)?)
    }

    fn is_checked(&self, number: u32) -> Result<bool, BootError> {
        let snapshot = self.host.snapshot(number)?;
        Ok(snapshot.userdata.get(STATE_KEY).is_some_and(|state| state == CHECKED))
    }

    fn runs(&self, number: u32) -> Result<bool, BootError> {
        Ok(self.host.is_live() && self.host.snapshot(number)?.active)
    }

    fn note_failed(&self, number: u32, boots: u32) -> Result<(), BootError> {
        let reason = match boots {
            0 => "it was marked as bad".to_owned(),
            _ => format!("it did not start in {boots} boots"),
        };
        failed::remember(self.host, &self.host.snapshot(number)?, &reason, Some(boots))
    }

    fn tidy(&self) -> Result<(), BootError> {
        self.loader.tidy(self.host)
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
