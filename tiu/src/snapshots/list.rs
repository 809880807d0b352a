//! Lists snapshots: snapper's table, and the facts of btrfs about each subvolume.

use super::error::{SnapshotError, btrfs};
use super::model::Snapshot;
use crate::host::snapper::{self, Row};
use crate::host::{Host, HostError};
use libbtrfsutil::{is_subvolume, subvolume_id, subvolume_info, subvolume_path_with_id, subvolume_read_only};
use rustix::fs::{AtFlags, Dir, FileType};
use std::path::Path;
use tiu_system::ioctl;

impl Host {
    /// Returns all snapshots, by number. Ignores a line of snapper's table without a subvolume,
    /// which a deletion that was cut off leaves.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, SnapshotError> {
        // Once in a run: other files of snapper's are made by the snapper that it calls.
        if self.info_files.get().is_none() {
            self.check_info_files()?;
            let _ = self.info_files.set(());
        }
        let rows = snapper::parse_list(&self.snapper.list()?).map_err(HostError::from)?;
        let default = self.default_id()?;
        let active = self.active_id()?;
        let mut snapshots = Vec::with_capacity(rows.len());
        for row in rows {
            let path = self.snapshot_path(row.number);
            match with_subvolume(row, &path, default, active) {
                Ok(snapshot) => snapshots.extend(snapshot),
                // snapper's own clean-up may have removed it since.
                Err(_) if !path.exists() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(snapshots)
    }

    /// Refuses an entry of snapper's that is neither a directory nor an ordinary file, and a file of
    /// snapper's about a snapshot that is not a regular file: snapper opens them, and would wait for
    /// the other side of a fifo.
    fn check_info_files(&self) -> Result<(), SnapshotError> {
        let failed = |source: std::io::Error| SnapshotError::Btrfs {
            what: "listing the snapshots in",
            path: self.root().join(".snapshots"),
            source,
        };
        for entry in Dir::read_from(self.snapshots_fd()).map_err(|e| failed(e.into()))? {
            let entry = entry.map_err(|e| failed(e.into()))?;
            let number = entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok());
            let Some(number) = number else { continue };
            let entry = self.root().join(".snapshots").join(number.to_string());
            // What does not exist or cannot be looked at, snapper ignores.
            let kind = |name: &str| {
                let stat = rustix::fs::statat(self.snapshots_fd(), name, AtFlags::empty()).ok()?;
                Some(FileType::from_raw_mode(stat.st_mode))
            };
            if let Some(FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice) =
                kind(&number.to_string())
            {
                return Err(HostError::SnapperEntry { path: entry, expected: "a directory" }.into());
            }
            if kind(&format!("{number}/info.xml")).is_some_and(|kind| kind != FileType::RegularFile) {
                let path = entry.join("info.xml");
                return Err(HostError::SnapperEntry { path, expected: "a regular file" }.into());
            }
        }
        Ok(())
    }

    /// Returns snapshot `number`.
    pub fn snapshot(&self, number: u32) -> Result<Snapshot, SnapshotError> {
        let snapshots = self.snapshots()?;
        let there = snapshots.iter().map(|s| s.number).collect();
        snapshots.into_iter().find(|s| s.number == number).ok_or(SnapshotError::NotFound { number, there })
    }

    /// Returns the subvolume of snapshot `number` without asking snapper, which may be waiting for
    /// this process: description, userdata and date are empty. Returns `None` if there is no such
    /// subvolume.
    pub fn subvolume_of(&self, number: u32) -> Result<Option<Snapshot>, SnapshotError> {
        let row = Row {
            number,
            date: String::new(),
            description: String::new(),
            cleanup: String::new(),
            userdata: None,
        };
        with_subvolume(row, &self.snapshot_path(number), self.default_id()?, self.active_id()?)
    }

    /// Returns the snapshot that boots next.
    pub fn default_snapshot(&self) -> Result<Snapshot, SnapshotError> {
        if let Some(default) = self.snapshots()?.into_iter().find(|s| s.default) {
            return Ok(default);
        }
        let id = self.default_id()?;
        let found = subvolume_path_with_id(self.root(), id)
            .map_or_else(|_| format!("subvolume {id}"), |path| path.display().to_string());
        if let Some(error) = self.not_listed(id) {
            return Err(error.into());
        }
        Err(HostError::DefaultIsNoSnapshot { root: self.root().to_owned(), found }.into())
    }

    /// Returns why snapper does not list the subvolume `id`, if that is a snapshot's.
    fn not_listed(&self, id: u64) -> Option<HostError> {
        let directories = std::fs::read_dir(self.root().join(".snapshots")).ok()?.flatten();
        let mut numbers = directories.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let number = numbers.find(|n| subvolume_id(self.snapshot_path(*n)).is_ok_and(|found| found == id))?;
        let path = self.snapshot_path(number).with_file_name("info.xml");
        let what = match std::fs::read(&path) {
            Err(e) => format!("cannot be read: {e}"),
            Ok(text) if text.is_empty() => "is empty".to_owned(),
            Ok(_) => "is not what snapper writes".to_owned(),
        };
        Some(HostError::InfoXml { number, path, what })
    }

    /// Returns the id of the subvolume that is mounted at the host's root.
    pub(crate) fn active_id(&self) -> Result<u64, SnapshotError> {
        btrfs("asking for the id of", self.root(), subvolume_id(self.root()))
    }

    /// Returns the id of the default subvolume.
    pub(crate) fn default_id(&self) -> Result<u64, SnapshotError> {
        ioctl::default_subvolume(self.root_fd()).map_err(|source| SnapshotError::Btrfs {
            what: "asking for the default subvolume of",
            path: self.root().to_owned(),
            source,
        })
    }
}

/// Returns a line of snapper's table with its subvolume, if that exists.
fn with_subvolume(
    row: Row,
    path: &Path,
    default: u64,
    active: u64,
) -> Result<Option<Snapshot>, SnapshotError> {
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
