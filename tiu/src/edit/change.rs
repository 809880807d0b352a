//! The place in which `tiu etc` makes the administrator's changes: the running system's `/etc`, or
//! a new snapshot that boots next if the running `/etc` cannot be written.
//!
//! A crash while the running `/etc` is changed leaves each file as it was or as it becomes. A crash
//! while a new snapshot is made leaves a [draft](crate::draft), as `tiu apply` does.

use super::error::EditError;
use crate::boot::Next;
use crate::boot::bootable::{check_etc, check_init};
use crate::config::EtcTarget;
use crate::draft::{Draft, ImageName, clean_up};
use crate::etc::ETC;
use crate::host::Host;
use crate::snapshots::{COMPATIBLE_KEY, Snapshot, Start, State, VERSION_KEY};
use rustix::fs::{Access, AtFlags};
use std::path::Path;
use tiu_extract::Rules;
use tiu_system::progress::{Cancel, Watch};
use tiu_system::tree::Tree;

/// Carries out `edit` on the system that boots next. Returns what `edit` returns, and the number of
/// the snapshot that was changed or made.
pub fn change<T>(
    next: Next,
    target: EtcTarget,
    cancel: &Cancel,
    edit: impl FnOnce(Tree, u32) -> Result<T, EditError>,
) -> Result<(T, u32), EditError> {
    let host = next.host();
    let _lock = host.lock()?;
    next.reconcile()?;
    let snapshot = host.default_snapshot()?;
    if snapshot.state() == State::InProgress {
        return Err(EditError::Unfinished(snapshot.number));
    }
    match (target, why_not_in_place(host, &snapshot)?) {
        (EtcTarget::Auto | EtcTarget::Running, None) => {
            let number = snapshot.number;
            Ok((edit(Tree::open(&host.snapshot_path(number))?, number)?, number))
        }
        (EtcTarget::Running, Some(why)) => Err(why),
        (EtcTarget::Auto | EtcTarget::Snapshot, _) => in_snapshot(next, &snapshot, cancel, edit),
    }
}

/// Returns whether a change at `target` would make a new snapshot. Fails if it could not be made.
pub fn makes_snapshot(host: &Host, target: EtcTarget) -> Result<bool, EditError> {
    let next = host.default_snapshot()?;
    match (target, why_not_in_place(host, &next)?) {
        (EtcTarget::Running, Some(why)) => Err(why),
        (EtcTarget::Snapshot, _) | (EtcTarget::Auto, Some(_)) => {
            check_copy(host, &next)?;
            Ok(true)
        }
        (EtcTarget::Auto | EtcTarget::Running, None) => Ok(false),
    }
}

/// Returns why `/etc` of what boots next is not to be changed in place, or `None` if it can be.
fn why_not_in_place(host: &Host, next: &Snapshot) -> Result<Option<EditError>, EditError> {
    if !next.active {
        return Ok(Some(EditError::NotRunning { next: next.number }));
    }
    host.check_updatable()?;
    let tree = Tree::open(&host.snapshot_path(next.number))?;
    let writable =
        |directory| rustix::fs::accessat(directory, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    // As a subvolume, and as it is mounted.
    let both = writable(tree.directory("etc")?) && writable(Tree::open(host.root())?.directory("etc")?);
    Ok((!both).then_some(EditError::ReadOnly { number: next.number }))
}

/// Fails if a copy of snapshot `base` must not be changed: it shares damaged metadata, and btrfs
/// stops writing to the whole filesystem if a change reaches that.
fn check_copy(host: &Host, base: &Snapshot) -> Result<(), EditError> {
    let tree = Tree::open(&host.snapshot_path(base.number))?;
    let rules = Rules { subvolumes: vec![ETC.to_owned()], ..Rules::default() };
    tiu_extract::check_metadata(tree.fd(), &rules, Watch::silent())
        .map_err(|error| EditError::in_snapshot(error, base.number, Path::new("/")))
}

fn in_snapshot<T>(
    next: Next,
    base: &Snapshot,
    cancel: &Cancel,
    edit: impl FnOnce(Tree, u32) -> Result<T, EditError>,
) -> Result<(T, u32), EditError> {
    next.host().check_updatable()?;
    check_copy(next.host(), base)?;
    clean_up(next)?;
    let value = |key: &str| base.userdata.get(key).cloned().unwrap_or_default();
    let image = ImageName { version: value(VERSION_KEY), compatible: value(COMPATIBLE_KEY) };
    let description = format!("tiu: /etc of snapshot {} changed", base.number);
    let draft = Draft::open(next, base, &description, image, Start::Copy)?;
    let edited = || {
        let done = edit(Tree::open(draft.tree().path())?, draft.number())?;
        // Kernel and initrd do not depend on /etc.
        check_init(draft.tree())?;
        check_etc(draft.tree())?;
        Ok(done)
    };
    match edited() {
        Ok(done) => Ok((done, draft.commit::<EditError>(cancel)?)),
        Err(error) => Err(draft.abandon(error)),
    }
}
