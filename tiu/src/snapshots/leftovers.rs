//! The leftovers of a power cut inside snapper.
//!
//! snapper makes the subvolume before it writes the entry of its table. A cut in between leaves
//! `.snapshots/N/snapshot` without `info.xml`. A cut in a deletion leaves an entry without a
//! subvolume, or an empty directory. snapper never removes any of these. An entry says whether it
//! belongs to an unfinished snapshot of tiu. A bare subvolume has no such mark. An empty directory
//! can always be removed.
//!
//! So before tiu asks snapper for a snapshot, it sets an attribute of `.snapshots`: the base, and
//! the numbers that were unlisted already. btrfs makes both last in this order: a subvolume that is
//! on the disk has the attribute before it. Only leftovers that the attribute identifies as tiu's
//! are removed. Other subvolumes stay.

use super::error::{SnapshotError, btrfs};
use super::flags::{unlock, unlock_entry};
use super::model::{CHECKED, IN_PROGRESS, STATE_KEY, Snapshot};
use super::nested::delete_nested;
use crate::host::Host;
use libbtrfsutil::{DeleteSubvolumeOptions, is_subvolume, subvolume_info};
use rustix::fs::{AtFlags, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tiu_system::tree::Tree;

/// The attribute of `.snapshots`: the base's UUID, then the numbers that were unlisted before,
/// separated by blanks.
const ATTRIBUTE: &str = "trusted.tiu.making";
/// Most bytes of the attribute that are read: hundreds of numbers.
const MAX_SIZE: usize = 4096;
/// Prefix of the name of an entry that snapper has not completed.
const HALF_ENTRY: &[u8] = b"info.xml.tmp-";
/// Largest entry of snapper's that is read, in bytes.
const MAX_ENTRY: u64 = 1 << 20;
/// Time for a snapper that goes on after its tiu was killed to write its entry.
const GRACE: Duration = Duration::from_secs(2);

/// The value of the attribute.
#[derive(Debug, PartialEq, Eq)]
struct Making {
    base: String,
    before: BTreeSet<u32>,
}

impl Making {
    fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let base = words.next().unwrap_or_default().to_owned();
        Making { base, before: words.filter_map(|word| word.parse().ok()).collect() }
    }

    fn text(&self) -> String {
        let numbers = self.before.iter().map(u32::to_string);
        std::iter::once(self.base.clone()).chain(numbers).collect::<Vec<_>>().join(" ")
    }
}

fn failed(what: &'static str, path: &Path, source: impl Into<io::Error>) -> SnapshotError {
    SnapshotError::Btrfs { what, path: path.to_owned(), source: source.into() }
}

/// Returns the path of `.snapshots`, for messages.
fn top(host: &Host) -> PathBuf {
    host.root().join(".snapshots")
}

/// Notes that a snapshot of `base` is about to be made. The caller holds the host's lock.
pub fn begin_creation(host: &Host, base: &Snapshot) -> Result<(), SnapshotError> {
    let making = Making { base: base.uuid.clone(), before: unlisted(host)? };
    let text = making.text();
    rustix::fs::fsetxattr(host.snapshots_fd(), ATTRIBUTE, text.as_bytes(), XattrFlags::empty())
        .map_err(|e| failed("marking", &top(host), e))
}

/// Notes that the new snapshot is in snapper's table.
pub fn end_creation(host: &Host) -> Result<(), SnapshotError> {
    match rustix::fs::fremovexattr(host.snapshots_fd(), ATTRIBUTE) {
        Ok(()) | Err(Errno::NODATA) => Ok(()),
        Err(e) => Err(failed("removing the mark of", &top(host), e)),
    }
}

/// Removes what a run that was cut off left unlisted, and returns the numbers. The caller holds the
/// host's lock.
pub fn clean_up_creation(host: &Host) -> Result<Vec<u32>, SnapshotError> {
    let mut removed = half_deleted(host)?;
    removed.iter().try_for_each(|number| remove(host, *number))?;
    removed.extend(half_made(host)?);
    Ok(removed)
}

/// Returns the numbers of unfinished snapshots of tiu that have an entry, but no longer a
/// subvolume.
fn half_deleted(host: &Host) -> Result<Vec<u32>, SnapshotError> {
    let tree = Tree::open(&top(host)).map_err(|e| failed("opening", &e.path, e.source))?;
    let is_ours = |number: &u32| {
        let entry =
            tree.read_text(format!("{number}/info.xml"), MAX_ENTRY).ok().flatten().unwrap_or_default();
        let entry: String = entry.split_whitespace().collect();
        let unfinished = [IN_PROGRESS, CHECKED]
            .map(|state| entry.contains(&format!("<key>{STATE_KEY}</key><value>{state}</value>")));
        tree.stat(format!("{number}/snapshot")).is_none() && unfinished.contains(&true)
    };
    Ok(numbers(host)?.into_iter().filter(is_ours).collect())
}

/// Removes what has no entry, and returns the numbers.
fn half_made(host: &Host) -> Result<Vec<u32>, SnapshotError> {
    let mut value = vec![0; MAX_SIZE];
    let making = match rustix::fs::fgetxattr(host.snapshots_fd(), ATTRIBUTE, &mut value[..]) {
        Ok(length) => Some(Making::parse(&String::from_utf8_lossy(value.get(..length).unwrap_or_default()))),
        Err(Errno::NODATA) => None,
        Err(e) => return Err(failed("reading the mark of", &top(host), e)),
    };
    let ours = |host: &Host| -> Result<Vec<u32>, SnapshotError> {
        let mut ours = Vec::new();
        for number in unlisted(host)? {
            let new = making.as_ref().filter(|making| !making.before.contains(&number));
            let is_ours = match new {
                Some(making) => is_ours(host, number, making)?,
                None => is_empty(host, number),
            };
            if is_ours {
                ours.push(number);
            }
        }
        Ok(ours)
    };
    let begin = Instant::now();
    let mut left = ours(host)?;
    while !left.is_empty() && begin.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(100));
        left = ours(host)?;
    }
    for number in &left {
        remove(host, *number)?;
    }
    if making.is_some() {
        end_creation(host)?;
    }
    Ok(left)
}

/// Returns whether the directory holds nothing but an entry that was not completed.
fn is_empty(host: &Host, number: u32) -> bool {
    let is_half = |entry: io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(HALF_ENTRY))
    };
    std::fs::read_dir(top(host).join(number.to_string())).is_ok_and(|mut entries| entries.all(is_half))
}

/// Returns the numbers of directories in `.snapshots` without an entry for snapper's table.
fn unlisted(host: &Host) -> Result<BTreeSet<u32>, SnapshotError> {
    let entry = |number: &u32| top(host).join(number.to_string()).join("info.xml");
    Ok(numbers(host)?.into_iter().filter(|number| entry(number).symlink_metadata().is_err()).collect())
}

/// Returns the numbers of all directories in `.snapshots`.
fn numbers(host: &Host) -> Result<BTreeSet<u32>, SnapshotError> {
    let top = top(host);
    let read = |source| failed("reading", &top, source);
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir(&top).map_err(read)? {
        let entry = entry.map_err(read)?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if entry.file_type().map_err(read)?.is_dir() {
            numbers.insert(number);
        }
    }
    Ok(numbers)
}

/// Returns whether `number` is a snapshot of the base that was begun, or does not exist yet.
fn is_ours(host: &Host, number: u32, making: &Making) -> Result<bool, SnapshotError> {
    let path = host.snapshot_path(number);
    match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Ok(metadata) if metadata.is_dir() && btrfs("looking at", &path, is_subvolume(&path))? => {
            let info = btrfs("reading", &path, subvolume_info(&path))?;
            let used = [host.default_id()?, host.active_id()?].contains(&info.id());
            Ok(!used && info.parent_uuid().is_some_and(|uuid| uuid.to_string() == making.base))
        }
        _ => Ok(false),
    }
}

/// Removes the subvolume with those inside it, and its directory unless it holds something else.
fn remove(host: &Host, number: u32) -> Result<(), SnapshotError> {
    unlock_entry(host, number)?;
    let path = host.snapshot_path(number);
    if path.symlink_metadata().is_ok() {
        delete_nested(&path)?;
        unlock(&path)?;
        btrfs("deleting", &path, DeleteSubvolumeOptions::new().delete(&path))?;
    }
    remove_entries(host, number, b"info.xml")?;
    match rustix::fs::unlinkat(host.snapshots_fd(), number.to_string(), AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
        Err(e) => Err(failed("removing", &top(host).join(number.to_string()), e)),
    }
}

/// Removes what a snapper that was cut off had written of a new entry of one of tiu's snapshots: it
/// would be in the way when the snapshot is deleted. The caller holds the host's lock.
pub fn remove_half_entries(host: &Host, number: u32) -> Result<(), SnapshotError> {
    unlock_entry(host, number)?;
    remove_entries(host, number, HALF_ENTRY)
}

fn remove_entries(host: &Host, number: u32, prefix: &[u8]) -> Result<(), SnapshotError> {
    for entry in std::fs::read_dir(top(host).join(number.to_string())).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix) {
            std::fs::remove_file(entry.path()).map_err(|e| failed("removing", &entry.path(), e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_is_read_back_and_any_text_is_read() {
        for before in [BTreeSet::new(), BTreeSet::from([3, 70])] {
            let making = Making { base: "0b1c-2d".into(), before };
            assert_eq!(Making::parse(&making.text()), making);
        }
        assert_eq!(Making::parse("").before, BTreeSet::new());
        assert_eq!(Making::parse("x y 4 -1 99999999999").before, BTreeSet::from([4]));
    }
}
