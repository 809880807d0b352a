//! The changes of the boot partition, each as a list of steps that can be interrupted anywhere.
//!
//! FAT has no atomic rename: it adds the new name and removes the old one, and a power cut can
//! leave both, which then lead to the same clusters. Removing one of them would free the clusters
//! of the other. So a file is only renamed to a name that does not exist, nothing is replaced, and
//! neither name of an entry with two names is ever removed: both are renamed to what the boot
//! loader ignores, once another entry has taken their place.

use super::disk::{Disk, EntryFile, HostNames, SORT_KEY};
use super::entry::{Entry, EntryName, Owner, Place};
use super::error::BlsError;
use crate::boot::error::BootError;
use crate::boot::loader::{EntryState, Mark, Standing};
use std::fs::File;
use std::path::PathBuf;
use tiu_bundle::content_digest::Digest;

/// Attempts of an entry on trial.
pub const ATTEMPTS: u32 = 3;
/// Bytes that must stay free: directories and entries need some.
const RESERVE: u64 = 1 << 20;
/// Copies of one content that are tried: a damaged one that is in use is not replaced.
const COPIES: u32 = 9;

/// A boot partition, on a disk or on paper. Each change lasts when its call returns.
pub trait Partition {
    /// Reads all of it that matters.
    fn read(&self) -> Result<Disk, BlsError>;
    /// Makes a file in the directory of entries.
    fn create_entry(&self, file: &str, text: &str) -> Result<(), BlsError>;
    /// Renames a file in the directory of entries to a name that does not exist.
    fn rename_entry(&self, from: &str, to: &str) -> Result<(), BlsError>;
    /// Removes a file in the directory of entries.
    fn remove_entry(&self, file: &str) -> Result<(), BlsError>;
    /// Makes a file in the host's own directory.
    fn create_file(&self, name: &str, content: &BootFile) -> Result<(), BlsError>;
    /// Returns true if the file in the host's own directory has this content.
    fn holds(&self, name: &str, content: &BootFile) -> Result<bool, BlsError>;
    /// Removes a file in the host's own directory.
    fn remove_file(&self, name: &str) -> Result<(), BlsError>;
    /// Returns the free space in bytes.
    fn free(&self) -> Result<u64, BlsError>;
}

/// A kernel or an initrd.
#[derive(Debug)]
pub struct BootFile {
    /// `linux` or `initrd`.
    pub kind: &'static str,
    /// Its content digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The file; none on paper.
    pub source: Option<File>,
}

/// The system that an entry will boot.
#[derive(Debug)]
pub struct BootTarget {
    /// The snapshot's number.
    pub number: u32,
    /// UUID of its subvolume.
    pub snapshot: String,
    /// Title in the menu.
    pub title: String,
    /// Its kernel and initrd.
    pub files: BootFiles,
    /// Arguments of the kernel.
    pub options: String,
}

/// Kernel and initrd of an entry.
#[derive(Debug)]
pub enum BootFiles {
    /// Files of the snapshot, to be copied unless a copy exists.
    Copy {
        /// The kernel.
        kernel: BootFile,
        /// The initrd.
        initrd: Option<BootFile>,
    },
    /// Files on the boot partition, which others wrote.
    Existing {
        /// The kernel.
        kernel: String,
        /// The initrds.
        initrds: Vec<String>,
    },
}

impl BootFile {
    /// Returns the name of the copy with this number.
    fn name(&self, copy: u32) -> String {
        match copy {
            0 => format!("{}-{}", self.kind, self.digest),
            copy => format!("{}-{}.{copy}", self.kind, self.digest),
        }
    }
}

/// Returns an error unless `needed` bytes and a reserve are free.
pub fn check_space(path: PathBuf, needed: u64, free: u64) -> Result<(), BlsError> {
    let needed = needed.saturating_add(RESERVE);
    if free < needed { Err(BlsError::NoSpace { path, needed, free }) } else { Ok(()) }
}

/// Copies kernel and initrd, and writes the entry of the next generation under a name that the boot
/// loader ignores.
pub fn stage(partition: &dyn Partition, names: &HostNames, target: &BootTarget) -> Result<(), BlsError> {
    let disk = partition.read()?;
    let (kernel, initrds) = match &target.files {
        BootFiles::Existing { kernel, initrds } => (kernel.clone(), initrds.clone()),
        BootFiles::Copy { kernel, initrd } => {
            let missing = [Some(kernel), initrd.as_ref()].into_iter().flatten();
            let missing = missing.filter(|file| !disk.files.contains_key(&file.name(0)));
            let needed = missing.map(|file| file.size).fold(0, u64::saturating_add);
            if needed > 0 {
                check_space(disk.path.clone(), needed, partition.free()?)?;
            }
            let initrd = initrd.as_ref().map(|initrd| copy(partition, names, &disk, initrd)).transpose()?;
            (copy(partition, names, &disk, kernel)?, initrd.into_iter().collect())
        }
    };
    let entry = Entry {
        title: target.title.clone(),
        machine_id: names.machine_id.clone(),
        sort_key: Some(SORT_KEY.to_owned()),
        kernel: Some(kernel),
        initrds,
        options: target.options.clone(),
        ..Entry::default()
    };
    write_next(partition, names, &disk, entry, target.number, &target.snapshot).map(drop)
}

/// Returns the path of a copy of `file`, which is made if there is none.
fn copy(
    partition: &dyn Partition,
    names: &HostNames,
    disk: &Disk,
    file: &BootFile,
) -> Result<String, BlsError> {
    for number in 0..COPIES {
        let name = file.name(number);
        let path = format!("{}/{name}", names.home());
        if disk.files.contains_key(&name) {
            if partition.holds(&name, file)? {
                return Ok(path);
            }
            // An interrupted copy, which nothing boots, or a damaged one.
            if disk.is_needed(&path) {
                continue;
            }
            partition.remove_file(&name)?;
        }
        partition.create_file(&name, file)?;
        return Ok(path);
    }
    Err(BlsError::NotReadBack { path: disk.path.join(names.home()).join(file.name(0)) })
}

/// Writes `entry` as the next generation, where the boot loader ignores it. Returns its name.
fn write_next(
    partition: &dyn Partition,
    names: &HostNames,
    disk: &Disk,
    entry: Entry,
    number: u32,
    snapshot: &str,
) -> Result<EntryName, BlsError> {
    let generation = disk.next_generation();
    let owner = Owner { host: names.filesystem.clone(), snapshot: snapshot.to_owned(), generation };
    let entry = Entry { version: format!("{generation}.{number}"), owner: Some(owner), ..entry };
    let name = EntryName::staged(&format!("{}-{generation}-{number}", names.token));
    partition.create_entry(&name.to_string(), &entry.text())?;
    Ok(name)
}

/// Returns the state of the entry of the snapshot of this UUID.
pub fn state(disk: &Disk, names: &HostNames, snapshot: &str) -> EntryState {
    match disk.entry_of(names, snapshot).map(|(file, _, _)| (file.name.left, file.name.done)) {
        None => EntryState::Missing,
        Some((None, _)) => EntryState::Good,
        Some((Some(0), done)) => EntryState::Exhausted(done),
        Some((Some(left), _)) => EntryState::Trial(left),
    }
}

/// Returns the attempts that an entry gets, or `None` if it is not counted.
pub fn attempts(standing: Standing, state: EntryState, runs: bool) -> Option<u32> {
    match (standing, state) {
        (Standing::Trial, _) => Some(ATTEMPTS),
        (Standing::Kept, EntryState::Good) => None,
        (Standing::Kept, EntryState::Trial(left)) => Some(left),
        // It has started.
        (Standing::Kept, _) if runs => None,
        (Standing::Kept, _) => Some(ATTEMPTS),
    }
}

/// Takes the newest staged entry of the snapshot into the menu, by one rename. Then removes its
/// older entries.
pub fn select(
    partition: &dyn Partition,
    names: &HostNames,
    (number, snapshot): (u32, &str),
    left: Option<u32>,
) -> Result<(), BlsError> {
    let disk = partition.read()?;
    let staged = disk.own(names).filter(|(file, _, owner)| {
        owner.snapshot == snapshot
            && file.name.place == Place::Staged
            && file.is_complete
            && !disk.is_doubled(&file.name.stem)
    });
    let newest = staged.max_by_key(|(_, _, owner)| owner.generation);
    let (file, _, owner) = newest.ok_or(BlsError::NotStaged { number })?;
    let name = EntryName { left, done: 0, place: Place::Live, ..file.name.clone() };
    partition.rename_entry(&file.file, &name.to_string())?;
    let older = disk
        .own(names)
        .filter(|(_, _, other)| other.snapshot == snapshot && other.generation < owner.generation);
    older.map(|(file, _, _)| file).try_for_each(|file| drop_entry(partition, &disk, file))
}

/// Gives the entry of the snapshot of this UUID a name without counter, or one without attempts
/// left. Where it has two names, the other one is set aside, not removed.
pub fn mark(
    partition: &dyn Partition,
    names: &HostNames,
    snapshot: &str,
    mark: Mark,
) -> Result<(), BlsError> {
    let disk = partition.read()?;
    let Some((file, _, _)) = disk.entry_of(names, snapshot) else { return Ok(()) };
    let name = match mark {
        Mark::Good => EntryName { left: None, done: 0, ..file.name.clone() },
        Mark::Bad => EntryName { left: Some(0), ..file.name.clone() },
    };
    let marked =
        |found: &EntryName| (found.left, mark == Mark::Good) == (None, true) || found.left == name.left;
    let live = |disk: &Disk| -> Vec<EntryFile> {
        let live = disk.entries.iter().filter(|other| {
            other.name.place == Place::Live && other.name.stem.eq_ignore_ascii_case(&file.name.stem)
        });
        live.cloned().collect()
    };
    if !live(&disk).iter().any(|other| marked(&other.name)) {
        partition.rename_entry(&file.file, &name.to_string())?;
    }
    let disk = partition.read()?;
    let others = live(&disk).into_iter().filter(|other| !marked(&other.name));
    others.collect::<Vec<_>>().iter().try_for_each(|other| set_aside(partition, &disk, other))
}

/// Takes an entry out of the directory: by its removal, or, where it has two names, out of the menu.
fn drop_entry(partition: &dyn Partition, disk: &Disk, file: &EntryFile) -> Result<(), BlsError> {
    match file.name.place {
        Place::Aside => Ok(()),
        _ if !disk.is_doubled(&file.name.stem) => partition.remove_entry(&file.file),
        Place::Staged => Ok(()),
        Place::Live => set_aside(partition, disk, file),
    }
}

/// Renames an entry to a name that the boot loader ignores.
fn set_aside(partition: &dyn Partition, disk: &Disk, file: &EntryFile) -> Result<(), BlsError> {
    let mut name = file.name.moved(Place::Aside);
    let exists = |name: &EntryName| {
        disk.entries.iter().any(|other| other.file.eq_ignore_ascii_case(&name.to_string()))
    };
    while exists(&name) {
        name.stem.push('-');
    }
    partition.rename_entry(&file.file, &name.to_string())
}

/// Makes sure that what boots now is in the menu by an entry of its own, which names its subvolume,
/// and takes entries that others wrote for this host out of it. Until the last of them is out, they
/// boot the same. Returns without a change where `current` is not known.
pub fn adopt(
    partition: &dyn Partition,
    names: &HostNames,
    snapshot: &str,
    current: impl FnOnce(&Disk) -> Result<Option<BootTarget>, BootError>,
) -> Result<(), BootError> {
    let disk = partition.read()?;
    if matches!(state(&disk, names, snapshot), EntryState::Missing) {
        let Some(target) = current(&disk)? else { return Ok(()) };
        stage(partition, names, &target)?;
        select(partition, names, (target.number, snapshot), None)?;
    }
    let disk = partition.read()?;
    Ok(disk.found(names).try_for_each(|(file, _)| set_aside(partition, &disk, file))?)
}

/// Removes the entries of the snapshot of this UUID, then the files that no entry names.
pub fn forget(partition: &dyn Partition, names: &HostNames, snapshot: &str) -> Result<(), BlsError> {
    let disk = partition.read()?;
    let of_it = disk.own(names).filter(|(_, _, owner)| owner.snapshot == snapshot);
    of_it.map(|(file, _, _)| file).try_for_each(|file| drop_entry(partition, &disk, file))?;
    collect(partition, names)
}

/// Removes the files that no entry names.
fn collect(partition: &dyn Partition, names: &HostNames) -> Result<(), BlsError> {
    let disk = partition.read()?;
    let unneeded = disk.files.keys().filter(|name| !disk.is_needed(&format!("{}/{name}", names.home())));
    unneeded.cloned().collect::<Vec<_>>().iter().try_for_each(|name| partition.remove_file(name))
}

/// Removes what interrupted runs left: staged entries, older entries of one snapshot, entries of
/// snapshots that do not exist, files that no entry names. `first` is the file of the entry that
/// boots next.
pub fn tidy(
    partition: &dyn Partition,
    names: &HostNames,
    snapshots: &[String],
    first: Option<&str>,
) -> Result<(), BlsError> {
    let disk = partition.read()?;
    if let Some((file, entry, owner)) = disk.own(names).find(|(file, _, _)| Some(&*file.file) == first)
        && disk.is_doubled(&file.name.stem)
    {
        heal(partition, names, &disk, entry, owner)?;
    }
    let disk = partition.read()?;
    let newest = |owner: &Owner| {
        let live = disk.own(names).filter(|(file, _, other)| {
            file.name.place == Place::Live && file.is_complete && other.snapshot == owner.snapshot
        });
        live.map(|(_, _, other)| other.generation).max()
    };
    for (file, _, owner) in disk.own(names) {
        let stays = file.name.place == Place::Live
            && snapshots.contains(&owner.snapshot)
            && newest(owner).is_none_or(|newest| owner.generation >= newest);
        if !stays {
            drop_entry(partition, &disk, file)?;
        }
    }
    collect(partition, names)
}

/// Writes an entry that has two names as the next generation, a file of its own, and takes the two
/// names out of the menu.
fn heal(
    partition: &dyn Partition,
    names: &HostNames,
    disk: &Disk,
    entry: &Entry,
    owner: &Owner,
) -> Result<(), BlsError> {
    let live: Vec<&EntryFile> = disk
        .own(names)
        .filter(|(file, _, other)| file.name.place == Place::Live && other.generation == owner.generation)
        .map(|(file, _, _)| file)
        .collect();
    // One that is not counted was blessed; of two that are, the one with fewer attempts is newer.
    let (left, done) = live.iter().map(|file| (file.name.left, file.name.done)).min().unwrap_or_default();
    let number = entry.version.rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let staged = write_next(partition, names, disk, entry.clone(), number, &owner.snapshot)?;
    let name = EntryName { left, done, ..staged.moved(Place::Live) };
    partition.rename_entry(&staged.to_string(), &name.to_string())?;
    live.into_iter().try_for_each(|file| set_aside(partition, disk, file))
}
