//! Where the administrator's own changes go that tiu makes for him: into the running system's `/etc`, or, where that cannot be written,
//! into a new snapshot that boots next.
//!
//! A crash while the running `/etc` is changed leaves each file as it was or as it becomes. A crash while a new snapshot is made leaves
//! one that is marked as unfinished, as `tiu apply` does.

use crate::config::{Config, EtcTarget};
use crate::etc::EtcError;
use crate::host::Host;
use crate::snapshots::{COMPATIBLE_KEY, Snapshot, State, VERSION_KEY};
use crate::transaction;
use rustix::fs::{Access, AtFlags};
use tiu_system::progress::Cancel;
use tiu_system::tree::Tree;

/// Carries out `edit` on the system that boots next: gives what `edit` gives, and the number of the snapshot that was changed or made.
pub fn change<T>(
    host: &Host,
    config: &Config,
    target: EtcTarget,
    cancel: &Cancel,
    edit: impl FnOnce(Tree, u32) -> Result<T, EtcError>,
) -> Result<(T, u32), EtcError> {
    let _lock = host.lock()?;
    let next = host.default_snapshot()?;
    if next.state() == State::InProgress {
        return Err(EtcError::Unfinished(next.number));
    }
    let refused = running(host, &next)?;
    match (target, refused) {
        (EtcTarget::Auto | EtcTarget::Running, None) => {
            Ok((edit(Tree::open(&host.snapshot_path(next.number))?, next.number)?, next.number))
        }
        (EtcTarget::Running, Some(why)) => Err(why),
        (EtcTarget::Auto | EtcTarget::Snapshot, _) => in_snapshot(host, config, &next, cancel, edit),
    }
}

/// Why `/etc` of what boots next is not to be changed where it is; nothing if it can be.
fn running(host: &Host, next: &Snapshot) -> Result<Option<EtcError>, EtcError> {
    if !next.active {
        return Ok(Some(EtcError::NotRunning { next: next.number }));
    }
    host.check_updatable()?;
    let tree = Tree::open(&host.snapshot_path(next.number))?;
    let writable =
        |directory| rustix::fs::accessat(directory, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    // As a subvolume, and as it is mounted.
    let both = writable(tree.directory("etc")?) && writable(Tree::open(host.root())?.directory("etc")?);
    Ok((!both).then_some(EtcError::ReadOnly { number: next.number }))
}

fn in_snapshot<T>(
    host: &Host,
    config: &Config,
    base: &Snapshot,
    cancel: &Cancel,
    edit: impl FnOnce(Tree, u32) -> Result<T, EtcError>,
) -> Result<(T, u32), EtcError> {
    host.check_updatable()?;
    transaction::clean_up(host)?;
    let value = |key: &str| base.userdata.get(key).cloned().unwrap_or_default();
    let (version, compatible) = (value(VERSION_KEY), value(COMPATIBLE_KEY));
    let description = format!("tiu: /etc of snapshot {} changed", base.number);
    let made = host.create_snapshot(base, &description, &version)?;
    let all = || -> Result<T, EtcError> {
        let done = edit(Tree::open(&host.snapshot_path(made.number))?, made.number)?;
        transaction::make_default(host, config, &made, base.read_only, &version, &compatible, cancel)
            .map_err(Box::new)?;
        Ok(done)
    };
    all().map(|done| (done, made.number)).map_err(|error| {
        let undone = || {
            if host.snapshot(made.number)?.default {
                host.set_default(base.number)?;
            }
            host.delete_snapshot(made.number)
        };
        match undone() {
            Ok(()) => error,
            Err(cleanup) => {
                EtcError::CleanUp { error: Box::new(error), number: made.number, cleanup: Box::new(cleanup) }
            }
        }
    })
}
