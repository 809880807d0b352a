//! Changes of a snapshot: userdata, flags, the mark that it is done. Every change is read back.

use super::error::{SnapshotError, btrfs};
use super::flags::unlock_entry;
use super::model::{CLEANUP, DONE, PIN_KEY, STATE_KEY, Snapshot, State};
use crate::host::{Host, snapper};
use libbtrfsutil::{set_subvolume_read_only, subvolume_read_only};

impl Host {
    /// Sets userdata and reads it back.
    pub fn set_userdata(&self, number: u32, values: &[(&str, &str)]) -> Result<(), SnapshotError> {
        let values: Vec<(&str, String)> =
            values.iter().map(|(k, v)| (*k, snapper::userdata_value(v))).collect();
        let text: Vec<String> = values.iter().map(|(k, v)| format!("{k}={v}")).collect();
        unlock_entry(self, number)?;
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

    /// Marks a snapshot that boots next as done, and leaves it to snapper's clean-up. A pinned one
    /// stays out of it until it is unpinned.
    pub fn set_done(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        if snapshot.is_pinned() {
            return self.set_userdata(snapshot.number, &[(STATE_KEY, DONE), (PIN_KEY, CLEANUP)]);
        }
        unlock_entry(self, snapshot.number)?;
        self.snapper.set_cleanup(snapshot.number, CLEANUP, &format!("{STATE_KEY}={DONE}"))?;
        let found = self.snapshot(snapshot.number)?;
        if found.cleanup != CLEANUP || found.state() != State::Done || found.is_committed() {
            return Err(SnapshotError::NotDone {
                what: format!("mark snapshot {} as done", snapshot.number),
                found: format!("cleanup {:?}, userdata {:?}", found.cleanup, found.userdata),
                output: String::new(),
            });
        }
        Ok(())
    }

    /// Writes out all changes of the filesystem.
    pub fn sync(&self) -> std::io::Result<()> {
        Ok(rustix::fs::syncfs(self.snapshots_fd())?)
    }

    /// Makes a snapshot read-only or read-write. A nested `/etc` keeps its flag.
    pub fn set_read_only(&self, number: u32, read_only: bool) -> Result<(), SnapshotError> {
        let path = self.snapshot_path(number);
        btrfs("changing the flags of", &path, set_subvolume_read_only(&path, read_only))?;
        let found = btrfs("reading the flags of", &path, subvolume_read_only(&path))?;
        if found != read_only {
            return Err(SnapshotError::NotDone {
                what: format!("set read-only={read_only} of snapshot {number}"),
                found: format!("read-only={found}"),
                output: String::new(),
            });
        }
        Ok(())
    }
}
