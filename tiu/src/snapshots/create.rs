//! Makes a snapshot in two steps: snapper makes it, and then the parts that snapper may have left
//! out are added.

use super::error::{SnapshotError, btrfs};
use super::flags::unlock;
use super::leftovers;
use super::model::{IN_PROGRESS, STATE_KEY, Snapshot, State, VERSION_KEY};
use super::nested::{delete_nested, is_nested_subvolume};
use crate::host::{Host, snapper};
use libbtrfsutil::{CreateSnapshotOptions, CreateSubvolumeOptions, DeleteSubvolumeOptions};
use std::path::Path;

/// The content that a new snapshot starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// That of its base.
    Copy,
    /// None. For a base with damaged metadata: the blocks of a copy are those of the base, and btrfs
    /// stops writing to the whole filesystem if a change reaches one that it cannot read.
    Empty,
}

/// Makes a read-write snapshot of `base`, marked as in progress from its first moment in snapper's
/// table, and returns its number.
///
/// A crash leaves nothing, a subvolume that snapper does not list (see [`leftovers`]), or a
/// snapshot that is marked as in progress.
pub(crate) fn create(
    host: &Host,
    base: &Snapshot,
    description: &str,
    version: &str,
) -> Result<u32, SnapshotError> {
    let userdata = format!("{STATE_KEY}={IN_PROGRESS},{VERSION_KEY}={}", snapper::userdata_value(version));
    leftovers::begin_creation(host, base)?;
    let printed = match host.snapper.create(base.number, &snapper::userdata_value(description), &userdata) {
        Ok(printed) => printed,
        Err(error) => {
            // The cause matters. The next run finds what stays.
            let _ = leftovers::clean_up_creation(host);
            return Err(error.into());
        }
    };
    printed.trim().parse().map_err(|_| SnapshotError::NotDone {
        what: format!("tell the number of the new snapshot of {}", base.number),
        found: format!("{printed:?}"),
        output: String::new(),
    })
}

/// Reads back what [`create`] made, and adds what snapper may have left out: a nested `/etc`
/// subvolume of the base is in the new snapshot too, whether or not a plugin of snapper made it.
pub(crate) fn complete(
    host: &Host,
    base: &Snapshot,
    number: u32,
    start: Start,
) -> Result<Snapshot, SnapshotError> {
    leftovers::end_creation(host)?;
    let made = host.snapshot(number)?;
    if made.state() != State::InProgress || made.parent_uuid.as_deref() != Some(&base.uuid) || made.read_only
    {
        return Err(SnapshotError::NotDone {
            what: format!("make a read-write snapshot of {}", base.number),
            found: format!("{made:?}"),
            output: String::new(),
        });
    }
    if start == Start::Empty {
        return empty(host, base, number);
    }
    unlock(&host.snapshot_path(number))?;
    let from = host.snapshot_path(base.number).join("etc");
    let to = host.snapshot_path(number).join("etc");
    if is_nested_subvolume(&from)? && !is_nested_subvolume(&to)? {
        // A snapshot shows a nested subvolume as an empty directory.
        std::fs::remove_dir(&to).map_err(|source| SnapshotError::Btrfs {
            what: "removing the placeholder of",
            path: to.clone(),
            source,
        })?;
        btrfs("making a snapshot at", &to, CreateSnapshotOptions::new().create(&from, &to))?;
    }
    Ok(made)
}

/// Replaces the copy in snapshot `number` by an empty subvolume, with an empty one for `/etc` where
/// the base has one.
///
/// A crash leaves an entry of snapper's without a subvolume, or an unfinished snapshot.
fn empty(host: &Host, base: &Snapshot, number: u32) -> Result<Snapshot, SnapshotError> {
    let path = host.snapshot_path(number);
    delete_nested(&path)?;
    unlock(&path)?;
    btrfs("deleting", &path, DeleteSubvolumeOptions::new().delete(&path))?;
    let make = |path: &Path| btrfs("making", path, CreateSubvolumeOptions::new().create(path));
    make(&path)?;
    if is_nested_subvolume(&host.snapshot_path(base.number).join("etc"))? {
        make(&path.join("etc"))?;
    }
    host.snapshot(number)
}
