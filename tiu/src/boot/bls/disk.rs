//! The state of the boot partition as it was read, and the menu that follows from it.

use super::arguments::root_of;
use super::entry::{Entry, EntryName, Owner, Place};
use super::error::BlsError;
use super::menu::{Item, Menu};
use super::variables::Variables;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names by which a host knows its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNames {
    /// UUID of the host's filesystem.
    pub filesystem: String,
    /// The start of the names of its entries.
    pub token: String,
    /// The machine ID in its entries.
    pub machine_id: String,
}

/// The directory of entries.
pub const ENTRIES: &str = "loader/entries";
/// Key of the order of tiu's entries.
pub const SORT_KEY: &str = "tiu";

impl HostNames {
    /// Returns the directory of the host's kernels and initrds.
    pub fn home(&self) -> String {
        format!("tiu/{}", self.filesystem)
    }
}

/// A file in the directory of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFile {
    /// Its name.
    pub file: String,
    /// Its name, read.
    pub name: EntryName,
    /// Its content, or the reason why it cannot be read.
    pub entry: Result<Entry, String>,
    /// True if its kernel exists. The boot loader ignores the entry otherwise.
    pub has_kernel: bool,
    /// True if all of its files exist.
    pub is_complete: bool,
}

/// The content of the boot partition, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Its mount point, for messages.
    pub path: PathBuf,
    /// Files in the directory of entries.
    pub entries: Vec<EntryFile>,
    /// The names of everything else there. No new file can have one of them.
    pub other_names: Vec<String>,
    /// The host's kernels and initrds: names in [`HostNames::home`], and sizes in bytes.
    pub files: BTreeMap<String, u64>,
    /// `default` in loader.conf.
    pub default_file: Option<String>,
    /// `preferred` in loader.conf.
    pub preferred_file: Option<String>,
    /// A unified kernel image, which is in the menu too.
    pub unified: Option<String>,
}

/// The system that an entry boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryTarget {
    /// The snapshot of this UUID: the host's own entry.
    Own(String),
    /// The subvolume of this path on the host's filesystem.
    Subvolume(String),
    /// The default subvolume of the host's filesystem.
    Default,
    /// Another system.
    Other,
}

impl Disk {
    /// Returns the menu, and the files of its items. Fails where a part of it is not known.
    pub fn menu(&self, variables: &Variables) -> Result<(Menu, Vec<&EntryFile>), BlsError> {
        if let Some(name) = &self.unified {
            return Err(BlsError::Unified { path: self.path.join(name) });
        }
        let mut files: Vec<&EntryFile> = Vec::new();
        let mut items = Vec::new();
        for file in self.entries.iter().filter(|file| file.name.place == Place::Live) {
            let path = || self.path.join(ENTRIES).join(&file.file);
            let entry = file.entry.as_ref();
            let entry = entry.map_err(|why| BlsError::Unreadable { path: path(), why: why.clone() })?;
            let other = entry.architecture.as_ref().is_some_and(|name| name != architecture());
            if entry.kernel.is_none() || !file.has_kernel || other {
                continue;
            }
            items.push(Item {
                id: format!("{}.conf", file.name.stem),
                sort_key: entry.sort_key.clone(),
                machine_id: entry.machine_id.clone(),
                version: entry.version.clone(),
                left: file.name.left,
                done: file.name.done,
            });
            files.push(file);
        }
        let menu = Menu {
            items,
            one_shot: variables.one_shot.clone(),
            preferred: variables.preferred.clone().or_else(|| self.preferred_file.clone()),
            default_variable: variables.default.clone(),
            default_file: self.default_file.clone(),
        };
        let named = [&menu.preferred, &menu.default_variable, &menu.default_file];
        if let Some(special) = named.into_iter().flatten().find(|name| name.starts_with('@')) {
            let why = format!("the default is {special}, which the boot loader changes at each boot");
            return Err(BlsError::Defeated { why });
        }
        Ok((menu, files))
    }

    /// Returns the entries of the host that tiu wrote.
    pub fn own<'a>(
        &'a self,
        names: &'a HostNames,
    ) -> impl Iterator<Item = (&'a EntryFile, &'a Entry, &'a Owner)> {
        self.entries.iter().filter_map(|file| {
            let entry = file.entry.as_ref().ok()?;
            let owner = entry.owner.as_ref().filter(|owner| owner.host == names.filesystem)?;
            Some((file, entry, owner))
        })
    }

    /// Returns the host's own entry of the snapshot of this UUID in the menu: the newest one.
    pub fn entry_of<'a>(
        &'a self,
        names: &'a HostNames,
        snapshot: &str,
    ) -> Option<(&'a EntryFile, &'a Entry, &'a Owner)> {
        let live = self.own(names).filter(|(file, _, owner)| {
            file.name.place == Place::Live && file.is_complete && owner.snapshot == snapshot
        });
        live.max_by_key(|(_, _, owner)| owner.generation)
    }

    /// Returns the entries in the menu that others wrote for this host, such as its installer.
    pub fn found<'a>(&'a self, names: &'a HostNames) -> impl Iterator<Item = (&'a EntryFile, &'a Entry)> {
        let live = self.entries.iter().filter(|file| file.name.place == Place::Live);
        live.filter_map(move |file| {
            let entry = file.entry.as_ref().ok()?;
            let target = target(entry, names);
            matches!(target, EntryTarget::Default | EntryTarget::Subvolume(_)).then_some((file, entry))
        })
    }

    /// Returns the next generation: higher than that of any entry, whoever wrote it.
    pub fn next_generation(&self) -> u64 {
        let noted = |file: &EntryFile| file.entry.as_ref().ok()?.owner.as_ref().map(|owner| owner.generation);
        // A damaged entry still has its name.
        let named = |name: &EntryName| name.stem.rsplit('-').nth(1)?.parse().ok();
        let others = self.other_names.iter().filter_map(|name| named(&EntryName::parse(name)?));
        let all =
            self.entries.iter().flat_map(|file| [noted(file), named(&file.name)]).flatten().chain(others);
        all.filter(|generation| *generation < u64::MAX / 2).max().unwrap_or(0) + 1
    }

    /// Returns true if more than one name of an entry exists: a rename that was interrupted leaves
    /// both, and both may lead to the same clusters.
    pub fn is_doubled(&self, stem: &str) -> bool {
        self.entries.iter().filter(|file| file.name.stem.eq_ignore_ascii_case(stem)).count() > 1
    }

    /// Returns true if an entry that is or may come into the menu names the file at `path`. Also
    /// where that is not known.
    pub fn is_needed(&self, path: &str) -> bool {
        let names = |file: &EntryFile| match &file.entry {
            Ok(entry) => entry.files().any(|found| found.eq_ignore_ascii_case(path)),
            Err(_) => true,
        };
        self.entries.iter().filter(|file| file.name.place != Place::Aside).any(names)
    }
}

/// Returns what an entry boots.
pub fn target(entry: &Entry, names: &HostNames) -> EntryTarget {
    if let Some(owner) = &entry.owner {
        return if owner.host == names.filesystem {
            EntryTarget::Own(owner.snapshot.clone())
        } else {
            EntryTarget::Other
        };
    }
    let (root, subvolume) = root_of(&entry.options);
    let root = root.and_then(|root| root.strip_prefix("UUID=").map(str::to_ascii_lowercase));
    let machine = !entry.machine_id.is_empty() && entry.machine_id == names.machine_id;
    if root.as_ref() != Some(&names.filesystem) && !(root.is_none() && machine) {
        return EntryTarget::Other;
    }
    subvolume.map_or(EntryTarget::Default, EntryTarget::Subvolume)
}

/// Returns the number of the snapshot whose subvolume has this path.
pub fn snapshot_number(path: &str) -> Option<u32> {
    let path = Path::new(path);
    let is_snapshot = path.file_name()? == "snapshot" && path.parent()?.parent()?.ends_with(".snapshots");
    is_snapshot.then(|| path.parent()?.file_name()?.to_str()?.parse().ok()).flatten()
}

/// Returns this machine's architecture by the name that UEFI has for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "x86" => "ia32",
        "aarch64" => "aa64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_of_a_path_is_found() {
        assert_eq!(snapshot_number("@/.snapshots/7/snapshot"), Some(7));
        assert_eq!(snapshot_number(".snapshots/7/snapshot"), Some(7));
        for path in ["@", "@/.snapshots/7", "@/other/7/snapshot", "@/.snapshots/x/snapshot", ""] {
            assert_eq!(snapshot_number(path), None, "{path}");
        }
    }

    #[test]
    fn an_entry_of_the_host_is_known_by_its_root() {
        let names = HostNames { filesystem: "u-1".into(), token: "tiu".into(), machine_id: "m".into() };
        let of = |options: &str, machine: &str| {
            let entry = Entry { options: options.into(), machine_id: machine.into(), ..Entry::default() };
            target(&entry, &names)
        };
        assert_eq!(of("root=UUID=U-1 ro", ""), EntryTarget::Default);
        assert_eq!(of("root=UUID=u-1 rootflags=subvol=@/a", ""), EntryTarget::Subvolume("@/a".into()));
        assert_eq!(of("root=UUID=u-2", "m"), EntryTarget::Other);
        assert_eq!(of("quiet", "m"), EntryTarget::Default);
        assert_eq!(of("quiet", ""), EntryTarget::Other);
    }

    #[test]
    fn generations_rise_above_damaged_and_foreign_entries() {
        let file = |name: &str, entry: Result<Entry, String>| EntryFile {
            file: name.into(),
            name: EntryName::parse(name).unwrap(),
            entry,
            has_kernel: true,
            is_complete: true,
        };
        let owned = |generation| Entry {
            owner: Some(Owner { host: "other".into(), snapshot: "s".into(), generation }),
            ..Entry::default()
        };
        let mut disk = Disk::default();
        assert_eq!(disk.next_generation(), 1);
        disk.entries.push(file("tiu-4-2+1-2.conf", Err("damaged".into())));
        assert_eq!(disk.next_generation(), 5);
        disk.entries.push(file("odd.conf", Ok(owned(9))));
        disk.entries.push(file("tiu-18446744073709551615-2.conf", Ok(Entry::default())));
        assert_eq!(disk.next_generation(), 10);
        disk.other_names.push("tiu-10-2.conf.tiu".into());
        assert_eq!(disk.next_generation(), 11, "the name is taken, even if by a directory");
    }
}
