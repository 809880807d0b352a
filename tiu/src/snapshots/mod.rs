//! The host's snapshots: list, make, change, delete, choose what boots next.
//!
//! snapper does what it can, so that its table and its plugins stay right; libbtrfsutil does what Debian 12's snapper cannot. Every
//! change is read back from the filesystem, because snapper's exit codes are no proof.

pub mod leftovers;
pub mod pin;

use crate::host::snapper::Row;
use crate::host::{Host, HostError, snapper};
use crate::snapshots::pin::PIN_KEY;
use libbtrfsutil::{
    CreateSnapshotOptions, DeleteSubvolumeOptions, IterateSubvolume, is_subvolume, set_subvolume_read_only,
    subvolume_id, subvolume_info, subvolume_path_with_id, subvolume_read_only,
};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::Hint;
use tiu_system::ioctl;
use tiu_system::program::RunError;

/// Userdata key of the state.
pub const STATE_KEY: &str = "tiu-state";
/// Userdata key of the image's version (for people who read snapper's table; what counts is in the snapshot).
pub const VERSION_KEY: &str = "tiu-version";
/// Userdata key of the image's kind of host; see [`VERSION_KEY`].
pub const COMPATIBLE_KEY: &str = "tiu-compatible";

/// State of a snapshot that is complete and checked, but was not yet made what boots next.
pub const CHECKED: &str = "checked";
/// snapper's cleanup algorithm for snapshots that are done: so many are kept. Before that they have none: an unfinished one would be
/// taken from under us where many others are made.
const CLEANUP: &str = "number";

/// What tiu knows of a snapshot from its userdata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not made by tiu.
    Ordinary,
    /// Being made, or left over from a run that was cut off.
    InProgress,
    /// Complete and checked.
    Done,
    /// A state that this version of tiu does not know.
    Unknown,
}

/// A snapshot that snapper lists and that has a subvolume.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// snapper's number; numbers are used again after a deletion.
    pub number: u32,
    /// Creation time, RFC 3339, UTC.
    pub date: String,
    /// snapper's description.
    pub description: String,
    /// snapper's cleanup algorithm; empty for none.
    pub cleanup: String,
    /// snapper's userdata.
    pub userdata: BTreeMap<String, String>,
    /// Id of the subvolume.
    pub id: u64,
    /// UUID of the subvolume.
    pub uuid: String,
    /// UUID of the subvolume that it was made from.
    pub parent_uuid: Option<String>,
    /// Whether the subvolume is read-only.
    pub read_only: bool,
    /// Whether it boots next.
    pub default: bool,
    /// Whether it is mounted at the host's root: for the running system, what runs.
    pub active: bool,
}

impl Snapshot {
    /// State by its userdata, and by whether the last step was done.
    pub fn state(&self) -> State {
        match self.userdata.get(STATE_KEY).map(String::as_str) {
            None => State::Ordinary,
            Some(CHECKED) if self.is_committed() => State::Done,
            Some(CHECKED) => State::InProgress,
            Some("in-progress") => State::InProgress,
            Some("done") => State::Done,
            Some(_) => State::Unknown,
        }
    }

    /// Whether it is kept from every clean-up; see [`crate::snapshots::pin`].
    pub fn is_pinned(&self) -> bool {
        self.cleanup.is_empty() && self.userdata.contains_key(PIN_KEY)
    }
}

impl Snapshot {
    /// Whether it was made what boots next and then not marked as done: the run was cut off in between.
    pub fn is_committed(&self) -> bool {
        self.userdata.get(STATE_KEY).is_some_and(|state| state == CHECKED) && (self.default || self.active)
    }
}

/// Why snapshots could not be listed or changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// See [`HostError`].
    #[error(transparent)]
    Host(#[from] HostError),
    /// btrfs refused.
    #[error("{what} {}: {source}", path.display())]
    Btrfs {
        /// What was to be done.
        what: &'static str,
        /// With which subvolume.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// There is no snapshot of this number.
    #[error("there is no snapshot {number}; there are: {}", join(.there))]
    NotFound {
        /// Asked for.
        number: u32,
        /// Numbers of those that exist.
        there: Vec<u32>,
    },
    /// snapper said that it did something, and it is not so.
    #[error("snapper did not {what}: found {found}{}", said(.output))]
    NotDone {
        /// What it was to do.
        what: String,
        /// What was found afterwards.
        found: String,
        /// What it printed.
        output: String,
    },
    /// The snapshot runs or boots next.
    #[error("snapshot {number} cannot be deleted: it {why}")]
    InUse {
        /// Which.
        number: u32,
        /// `is running`, `boots next`.
        why: &'static str,
    },
}

impl From<RunError> for SnapshotError {
    fn from(e: RunError) -> Self {
        SnapshotError::Host(e.into())
    }
}

impl Hint for SnapshotError {
    fn hint(&self) -> Option<String> {
        match self {
            SnapshotError::Host(e) => e.hint(),
            SnapshotError::Btrfs { .. } => {
                Some("run tiu as root; see the kernel's log for btrfs errors".into())
            }
            SnapshotError::NotFound { .. } => Some("tiu list shows all snapshots".into()),
            SnapshotError::NotDone { .. } => Some("run the snapper command by hand to see why".into()),
            SnapshotError::InUse { .. } => Some("choose another default first: tiu rollback N".into()),
        }
    }
}

fn join(numbers: &[u32]) -> String {
    match numbers {
        [] => "none".into(),
        _ => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn said(output: &str) -> String {
    let output = output.trim();
    if output.is_empty() { String::new() } else { format!("; it printed: {output}") }
}

pub(crate) fn btrfs<T>(
    what: &'static str,
    path: &Path,
    result: Result<T, libbtrfsutil::Error>,
) -> Result<T, SnapshotError> {
    result.map_err(|e| SnapshotError::Btrfs { what, path: path.to_owned(), source: e.os_error() })
}

impl Host {
    /// All snapshots, by number. A line of snapper's table without a subvolume (a deletion that was cut off) is passed over.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, SnapshotError> {
        let rows = snapper::parse_list(&self.snapper.list()?).map_err(HostError::from)?;
        let default = self.default_id()?;
        let active = self.active_id()?;
        let mut snapshots = Vec::with_capacity(rows.len());
        for row in rows {
            let path = self.snapshot_path(row.number);
            match look(row, &path, default, active) {
                Ok(snapshot) => snapshots.extend(snapshot),
                // snapper's own clean-up may have removed it since.
                Err(_) if !path.exists() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(snapshots)
    }

    /// Snapshot `number`.
    pub fn snapshot(&self, number: u32) -> Result<Snapshot, SnapshotError> {
        let snapshots = self.snapshots()?;
        let there = snapshots.iter().map(|s| s.number).collect();
        snapshots.into_iter().find(|s| s.number == number).ok_or(SnapshotError::NotFound { number, there })
    }

    /// The snapshot that boots next.
    pub fn default_snapshot(&self) -> Result<Snapshot, SnapshotError> {
        if let Some(default) = self.snapshots()?.into_iter().find(|s| s.default) {
            return Ok(default);
        }
        let id = self.default_id()?;
        let found = subvolume_path_with_id(self.root(), id)
            .map_or_else(|_| format!("subvolume {id}"), |path| path.display().to_string());
        Err(HostError::DefaultIsNoSnapshot { root: self.root().to_owned(), found }.into())
    }

    /// Id of the subvolume that is mounted at the host's root.
    pub(crate) fn active_id(&self) -> Result<u64, SnapshotError> {
        btrfs("asking for the id of", self.root(), subvolume_id(self.root()))
    }

    /// Id of the default subvolume.
    pub(crate) fn default_id(&self) -> Result<u64, SnapshotError> {
        ioctl::default_subvolume(self.root_fd()).map_err(|source| SnapshotError::Btrfs {
            what: "asking for the default subvolume of",
            path: self.root().to_owned(),
            source,
        })
    }

    /// A read-write snapshot of `base`, marked as in progress from its first moment in snapper's table.
    ///
    /// A nested `/etc` subvolume of the base is in the new snapshot too, whether or not a snapper plugin made it.
    /// A crash leaves nothing, a subvolume that snapper does not list (see [`unlisted`]), or a snapshot that is marked as in progress.
    pub fn create_snapshot(
        &self,
        base: &Snapshot,
        description: &str,
        version: &str,
    ) -> Result<Snapshot, SnapshotError> {
        let userdata = format!("{STATE_KEY}=in-progress,{VERSION_KEY}={}", snapper::userdata_value(version));
        leftovers::begin(self, base)?;
        let printed = match self.snapper.create(base.number, &snapper::userdata_value(description), &userdata)
        {
            Ok(printed) => printed,
            Err(error) => {
                // What matters is why; what stays is found by the next run.
                let _ = leftovers::clean_up(self);
                return Err(error.into());
            }
        };
        let number = printed.trim().parse().map_err(|_| SnapshotError::NotDone {
            what: format!("tell the number of the new snapshot of {}", base.number),
            found: format!("{printed:?}"),
            output: String::new(),
        })?;
        match leftovers::end(self).and_then(|()| self.complete_snapshot(base, number)) {
            Ok(made) => Ok(made),
            Err(error) => {
                // What matters is why; what stays is marked, and so found by the next run.
                let _ = self.delete_snapshot(number);
                Err(error)
            }
        }
    }

    /// Looks at what snapper made, and adds what it may have left out.
    fn complete_snapshot(&self, base: &Snapshot, number: u32) -> Result<Snapshot, SnapshotError> {
        let made = self.snapshot(number)?;
        if made.state() != State::InProgress
            || made.parent_uuid.as_deref() != Some(&base.uuid)
            || made.read_only
        {
            return Err(SnapshotError::NotDone {
                what: format!("make a read-write snapshot of {}", base.number),
                found: format!("{made:?}"),
                output: String::new(),
            });
        }
        let (from, to) =
            (self.snapshot_path(base.number).join("etc"), self.snapshot_path(number).join("etc"));
        if is_nested_subvolume(&from)? && !is_nested_subvolume(&to)? {
            // What a snapshot shows of a nested subvolume is an empty directory.
            std::fs::remove_dir(&to).map_err(|source| SnapshotError::Btrfs {
                what: "removing the placeholder of",
                path: to.clone(),
                source,
            })?;
            btrfs("making a snapshot at", &to, CreateSnapshotOptions::new().create(&from, &to))?;
        }
        Ok(made)
    }

    /// Sets userdata and reads it back.
    pub fn set_userdata(&self, number: u32, values: &[(&str, &str)]) -> Result<(), SnapshotError> {
        let values: Vec<(&str, String)> =
            values.iter().map(|(k, v)| (*k, snapper::userdata_value(v))).collect();
        let text: Vec<String> = values.iter().map(|(k, v)| format!("{k}={v}")).collect();
        self.snapper.set_userdata(number, &text.join(","))?;
        let found = self.snapshot(number)?.userdata;
        if values.iter().any(|(k, v)| found.get(*k) != Some(v)) {
            return Err(SnapshotError::NotDone {
                what: format!("set the userdata of snapshot {number}"),
                found: format!("{found:?}"),
                output: String::new(),
            });
        }
        Ok(())
    }

    /// Marks a snapshot that boots next as done, and leaves it to snapper's clean-up, or a pinned one to what follows its pin.
    pub fn set_done(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        if snapshot.is_pinned() {
            return self.set_userdata(snapshot.number, &[(STATE_KEY, "done"), (PIN_KEY, CLEANUP)]);
        }
        self.snapper.set_cleanup(snapshot.number, CLEANUP, &format!("{STATE_KEY}=done"))?;
        let found = self.snapshot(snapshot.number)?;
        match found.cleanup == CLEANUP && found.state() == State::Done && !found.is_committed() {
            true => Ok(()),
            false => Err(SnapshotError::NotDone {
                what: format!("mark snapshot {} as done", snapshot.number),
                found: format!("cleanup {:?}, userdata {:?}", found.cleanup, found.userdata),
                output: String::new(),
            }),
        }
    }

    /// Writes out all that was changed on the filesystem.
    pub fn sync(&self) -> std::io::Result<()> {
        Ok(rustix::fs::syncfs(self.snapshots_fd())?)
    }

    /// Makes a snapshot read-only or read-write, a nested `/etc` not.
    pub fn set_read_only(&self, number: u32, read_only: bool) -> Result<(), SnapshotError> {
        let path = self.snapshot_path(number);
        btrfs("changing the flags of", &path, set_subvolume_read_only(&path, read_only))?;
        let found = btrfs("reading the flags of", &path, subvolume_read_only(&path))?;
        match found == read_only {
            true => Ok(()),
            false => Err(SnapshotError::NotDone {
                what: format!("set read-only={read_only} of snapshot {number}"),
                found: format!("read-only={found}"),
                output: String::new(),
            }),
        }
    }

    /// Makes `number` what boots next, reads it back, and makes it last: before this returns the old default or the new one boots,
    /// afterwards the new one.
    ///
    /// For the running system snapper does it where it can, for its plugins write boot entries. For another root it is done
    /// directly: those plugins would write the running system's.
    pub fn set_default(&self, number: u32) -> Result<(), SnapshotError> {
        let wanted = self.snapshot(number)?;
        if self.is_live() && self.snapper.knows_default()? {
            self.snapper.set_default(number)?;
        } else {
            let path = self.snapshot_path(number);
            ioctl::set_default_subvolume(self.snapshots_fd(), wanted.id)
                .map_err(|source| SnapshotError::Btrfs { what: "making the default:", path, source })?;
        }
        let found = self.default_id()?;
        if found != wanted.id {
            return Err(SnapshotError::NotDone {
                what: format!("make snapshot {number} the default"),
                found: format!("subvolume {found} is the default, expected {}", wanted.id),
                output: String::new(),
            });
        }
        btrfs("syncing", self.root(), libbtrfsutil::sync(self.root()))
    }

    /// Deletes a snapshot, and sees to it that it is gone. Never the running one or the one that boots next.
    pub fn delete_snapshot(&self, number: u32) -> Result<(), SnapshotError> {
        let snapshot = self.snapshot(number)?;
        if snapshot.active || snapshot.default {
            let why = if snapshot.active { "is running" } else { "boots next" };
            return Err(SnapshotError::InUse { number, why });
        }
        let path = self.snapshot_path(number);
        let first = self.snapper.delete(number);
        if !path.exists() {
            return Ok(());
        }
        // A nested subvolume is in the way, unless a plugin of snapper took care of it.
        let output = match delete_nested(&path)? {
            0 => first?,
            _ => self.snapper.delete(number)?,
        };
        match path.exists() {
            false => Ok(()),
            true => Err(SnapshotError::NotDone {
                what: format!("delete snapshot {number}"),
                found: format!("{} is still there", path.display()),
                output: format!("{} {}", output.stdout.trim(), output.stderr.trim()),
            }),
        }
    }
}

/// A line of snapper's table with its subvolume, if that is there.
fn look(row: Row, path: &Path, default: u64, active: u64) -> Result<Option<Snapshot>, SnapshotError> {
    if !path.is_dir() || !btrfs("looking at", path, is_subvolume(path))? {
        return Ok(None);
    }
    let info = btrfs("reading", path, subvolume_info(path))?;
    Ok(Some(Snapshot {
        number: row.number,
        date: if row.date.is_empty() { row.date } else { row.date.replacen(' ', "T", 1) + "Z" },
        description: row.description,
        cleanup: row.cleanup,
        userdata: row.userdata.unwrap_or_default(),
        id: info.id(),
        uuid: info.uuid().to_string(),
        parent_uuid: info.parent_uuid().map(|uuid| uuid.to_string()),
        read_only: btrfs("reading the flags of", path, subvolume_read_only(path))?,
        default: info.id() == default,
        active: info.id() == active,
    }))
}

/// Deletes the subvolumes inside the subvolume at `path`, which becomes read-write for that, and counts them.
pub(crate) fn delete_nested(path: &Path) -> Result<usize, SnapshotError> {
    let nested = nested_subvolumes(path)?;
    if !nested.is_empty() {
        btrfs("changing the flags of", path, set_subvolume_read_only(path, false))?;
        for inner in nested.iter().rev().map(|inner| path.join(inner)) {
            btrfs("deleting", &inner, DeleteSubvolumeOptions::new().delete(&inner))?;
        }
    }
    Ok(nested.len())
}

/// Whether `path` exists, is a directory and the root of a subvolume.
fn is_nested_subvolume(path: &Path) -> Result<bool, SnapshotError> {
    // A symlink could lead anywhere.
    let there = path.symlink_metadata().is_ok_and(|m| m.is_dir());
    Ok(there && btrfs("looking at", path, is_subvolume(path))?)
}

/// Paths of the subvolumes inside the subvolume at `path`, relative to it, parents first.
pub fn nested_subvolumes(path: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let found = btrfs("listing the subvolumes in", path, IterateSubvolume::new(path).iter_with_id())?;
    let found: Result<Vec<_>, _> = found.map(|item| item.map(|(inner, _)| inner)).collect();
    btrfs("listing the subvolumes in", path, found)
}
