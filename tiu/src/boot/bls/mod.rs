//! Boot entries of the Boot Loader Specification, for systemd-boot.
//!
//! Each snapshot has an entry on the boot partition that names its subvolume. Kernels and initrds
//! are copied there under the names of their content, so entries share them. The newest entry
//! boots: its `version` starts with a generation that rises with each change. An entry on trial has
//! a counter in its name, and the boot loader goes back to the entry before it if it does not
//! start.
//!
//! | file | holds |
//! |---|---|
//! | `detect` | detects such a host and its boot partition |
//! | `entry` | names and texts of entries |
//! | `arguments` | the arguments of the kernel |
//! | `menu`, `version`, `pattern` | the model of systemd-boot: what it boots |
//! | `disk`, `variables` | the facts by which it decides |
//! | `work` | the changes, on a disk or on paper |
//! | `esp` | the disk |
//! | `files` | kernel and initrd of a snapshot |

mod arguments;
pub(super) mod detect;
mod disk;
mod entry;
mod error;
mod esp;
mod files;
mod menu;
#[cfg(test)]
mod model;
mod pattern;
mod unusable;
mod variables;
mod version;
mod work;

pub use error::BlsError;
pub(super) use unusable::Unusable;

use super::error::BootError;
use super::loader::{BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, Selected, Standing};
use super::none::default_subvolume;
use crate::config::Config;
use crate::host::Host;
use crate::snapshots::{Snapshot, btrfs};
use disk::{Disk, EntryFile, EntryTarget, HostNames, SORT_KEY, snapshot_number, target};
use entry::{EntryName, Place};
use esp::Esp;
use libbtrfsutil::subvolume_path_with_id;
use menu::Item;
use std::path::{Path, PathBuf};
use tiu_system::tree::Tree;
use variables::Variables;
use work::{ATTEMPTS, BootFiles, BootTarget, Partition, attempts, state};

/// systemd-boot, with entries that tiu writes.
pub(super) struct BootEntries {
    esp: Esp,
    names: HostNames,
    config: Config,
    /// The directory of the firmware's variables, on the running system.
    variables: Option<PathBuf>,
    why: String,
    goes_back: bool,
}

impl BootEntries {
    /// Returns the boot loader of `host`, whose boot partition is mounted at `partition`.
    fn open(host: &Host, config: &Config, partition: &Path, why: String) -> Result<Self, BootError> {
        let tree = Tree::open(host.root())?;
        let read = |path: &str| {
            let text = tree.read_text(path, tiu_system::tree::MAX_TEXT).ok().flatten().unwrap_or_default();
            text.trim().to_owned()
        };
        let filesystem = tiu_system::ioctl::btrfs_uuid(host.snapshots_fd()).map_err(|source| {
            BlsError::Io { path: host.root().to_owned(), what: "asking for the UUID", source }
        })?;
        let machine_id = Some(read("etc/machine-id"))
            .filter(|id| id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()));
        let token = Some(read("etc/kernel/entry-token")).filter(|token| is_token(token));
        let mut names = HostNames {
            filesystem,
            token: token.unwrap_or_else(|| SORT_KEY.to_owned()),
            machine_id: machine_id.unwrap_or_default(),
        };
        let esp = Esp::open(partition, names.home())?;
        // Entries are ordered by machine ID first, so all have that of the first.
        if let Ok(disk) = esp.read()
            && let Some((_, entry, _)) = disk.own(&names).max_by_key(|(_, _, owner)| owner.generation)
        {
            names.machine_id = entry.machine_id.clone();
        }
        let variables = host.is_live().then(|| PathBuf::from(variables::DIRECTORY));
        let goes_back = files::blesses(&tree);
        Ok(BootEntries { esp, names, config: config.clone(), variables, why, goes_back })
    }

    fn variables(&self) -> Variables {
        self.variables.as_deref().map(Variables::read).unwrap_or_default()
    }

    /// Returns what an entry boots.
    fn boots(&self, host: &Host, snapshots: &[Snapshot], file: &EntryFile) -> Result<Boots, BootError> {
        let other = |more: &str| Boots::Other { name: format!("the boot entry {}{more}", file.file) };
        let Ok(entry) = &file.entry else { return Ok(other("")) };
        let found = match target(entry, &self.names) {
            EntryTarget::Other => return Ok(other("")),
            EntryTarget::Default => return default_subvolume(host),
            EntryTarget::Own(uuid) => snapshots.iter().find(|snapshot| snapshot.uuid == uuid),
            EntryTarget::Subvolume(path) => {
                let number = snapshot_number(&path);
                snapshots.iter().find(|snapshot| Some(snapshot.number) == number)
            }
        };
        Ok(match found {
            Some(snapshot) => Boots::Snapshot { number: snapshot.number },
            None => other(", whose snapshot does not exist"),
        })
    }

    /// Returns the snapshot that boots now: by the boot loader, or else the default.
    fn current(&self, host: &Host) -> Result<Option<Snapshot>, BootError> {
        let number = self.selected(host)?.next.number();
        let snapshots = host.snapshots()?;
        let by_loader = snapshots.iter().find(|snapshot| Some(snapshot.number) == number);
        Ok(by_loader.or_else(|| snapshots.iter().find(|snapshot| snapshot.default)).cloned())
    }

    /// Returns what the entry of `current` names, which has none yet: the files of the entry that
    /// boots it, or its own. Returns `None` if it has no kernel.
    fn adopted(&self, host: &Host, disk: &Disk, current: &Snapshot) -> Result<Option<BootTarget>, BootError> {
        let (menu, files) = disk.menu(&self.variables())?;
        let first = menu.without_one_shot().first().and_then(|first| files.get(first));
        let found = disk.found(&self.names).filter(|(file, _)| file.is_complete);
        let found = found.max_by_key(|(file, _)| first.is_some_and(|first| first.file == file.file));
        let Some((_, entry)) = found else {
            return match self.target(host, disk, current) {
                Ok(target) => Ok(Some(target)),
                Err(BootError::Bls(BlsError::NoKernel { .. } | BlsError::NoInitrd { .. })) => Ok(None),
                Err(error) => Err(error),
            };
        };
        let kernel = entry.kernel.clone().unwrap_or_default();
        let files = BootFiles::Existing { kernel, initrds: entry.initrds.clone() };
        let tree = Tree::open(&host.snapshot_path(current.number))?;
        Ok(Some(self.target_with(host, current, &tree, files, &entry.options)?))
    }

    /// Returns what the entry of `snapshot` names.
    fn target(&self, host: &Host, disk: &Disk, snapshot: &Snapshot) -> Result<BootTarget, BootError> {
        let tree = Tree::open(&host.snapshot_path(snapshot.number))?;
        let existing = || {
            let (_, entry, _) = disk.entry_of(&self.names, &snapshot.uuid)?;
            Some(BootFiles::Existing { kernel: entry.kernel.clone()?, initrds: entry.initrds.clone() })
        };
        let number = snapshot.number;
        let files = match (files::find(&tree, number, &self.config), existing()) {
            (Ok(Some(files)), _) => files,
            // An adopted one has its files on the boot partition alone.
            (Ok(None) | Err(BlsError::NoInitrd { .. }), Some(files)) => files,
            (Ok(None), None) => return Err(BlsError::NoKernel { number }.into()),
            (Err(error), _) => return Err(error.into()),
        };
        let newest = disk.own(&self.names).max_by_key(|(_, _, owner)| owner.generation);
        let before = newest.map(|(_, entry, _)| entry).or_else(|| Some(disk.found(&self.names).next()?.1));
        let before = before.map(|entry| entry.options.clone()).unwrap_or_default();
        let arguments = files::arguments(&tree).unwrap_or(before);
        self.target_with(host, snapshot, &tree, files, &arguments)
    }

    fn target_with(
        &self,
        host: &Host,
        snapshot: &Snapshot,
        tree: &Tree,
        files: BootFiles,
        arguments: &str,
    ) -> Result<BootTarget, BootError> {
        let number = snapshot.number;
        let path =
            btrfs("asking for the path of", host.root(), subvolume_path_with_id(host.root(), snapshot.id))?;
        let path = path.to_string_lossy().into_owned();
        if path.contains(|c: char| c.is_whitespace() || c.is_control() || "\",\u{fffd}".contains(c)) {
            return Err(BlsError::Subvolume { number, path }.into());
        }
        Ok(BootTarget {
            number,
            snapshot: snapshot.uuid.clone(),
            title: format!("{} (snapshot {number})", files::title(tree)),
            files,
            options: arguments::arguments(arguments, &self.names.filesystem, &path),
        })
    }

    /// Checks on paper that a new entry would boot next, and that the boot loader could go back from
    /// it to what boots now.
    fn simulate(&self, host: &Host, disk: &Disk) -> Result<(), BootError> {
        let variables = self.variables();
        let item = |generation: u64, left| {
            let name = EntryName::staged(&format!("{}-{generation}-0", self.names.token));
            Item {
                id: name.moved(Place::Live).to_string(),
                sort_key: Some(SORT_KEY.into()),
                machine_id: self.names.machine_id.clone(),
                version: format!("{generation}.0"),
                left,
                done: 0,
            }
        };
        let current = self.current(host)?;
        let has_entry = current
            .as_ref()
            .is_some_and(|current| state(disk, &self.names, &current.uuid) != EntryState::Missing);
        let found: Vec<&String> = disk.found(&self.names).map(|(file, _)| &file.file).collect();
        let (menu, files) = disk.menu(&variables)?;
        let mut menu = menu.without_one_shot();
        let mut labels: Vec<String> =
            files.iter().map(|file| format!("the boot entry {}", file.file)).collect();
        let is_found: Vec<bool> = files.iter().map(|file| found.contains(&&file.file)).collect();
        let mut stays = is_found.iter().map(|found| !found);
        menu.items.retain(|_| stays.next().unwrap_or(true));
        let mut stays = is_found.iter().map(|found| !found);
        labels.retain(|_| stays.next().unwrap_or(true));
        let generation = disk.next_generation();
        let adopted = !has_entry && (!found.is_empty() || self.has_kernel(host, current.as_ref()));
        if adopted {
            menu.items.push(item(generation, None));
            labels.push("what boots now".into());
        }
        let new = menu.items.len();
        menu.items.push(item(generation + 1, Some(ATTEMPTS)));
        let why = || {
            let named = |what: &str, value: &Option<String>| value.as_ref().map(|v| format!("{what} is {v}"));
            named("the preferred entry", &menu.preferred)
                .or_else(|| named("the variable LoaderEntryDefault", &menu.default_variable))
                .or_else(|| named("the default in loader.conf", &menu.default_file))
                .unwrap_or_else(|| "its sort-key comes first".into())
        };
        match menu.next_and_then() {
            Some((next, _)) if next != new => {
                let found = labels.get(next).cloned().unwrap_or_default();
                Err(BlsError::NotFirst { found, why: why() }.into())
            }
            Some((_, then)) if then == new && (adopted || has_entry) => {
                Err(BlsError::Defeated { why: why() }.into())
            }
            _ => Ok(()),
        }
    }

    fn has_kernel(&self, host: &Host, snapshot: Option<&Snapshot>) -> bool {
        snapshot.is_some_and(|snapshot| {
            let tree = Tree::open(&host.snapshot_path(snapshot.number));
            tree.is_ok_and(|tree| {
                files::find(&tree, snapshot.number, &self.config).is_ok_and(|files| files.is_some())
            })
        })
    }

    /// Returns the bytes that a clean-up would free.
    fn collectable(&self, host: &Host, disk: &Disk) -> Result<u64, BootError> {
        let snapshots = host.snapshots()?;
        let is_gone = |file: &EntryFile| match file.entry.as_ref().map(|entry| target(entry, &self.names)) {
            Ok(EntryTarget::Own(uuid)) => !snapshots.iter().any(|snapshot| snapshot.uuid == uuid),
            _ => false,
        };
        let mut after = disk.clone();
        after.entries.retain(|file| !is_gone(file) && file.name.place == Place::Live);
        let home = self.names.home();
        let freed = disk.files.iter().filter(|(name, _)| !after.is_needed(&format!("{home}/{name}")));
        Ok(freed.map(|(_, size)| *size).fold(0, u64::saturating_add))
    }
}

/// Returns true if names of entries can start with `token`.
fn is_token(token: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    (1..=64).contains(&token.len())
        && token.bytes().all(plain)
        && !token.starts_with(['.', '-'])
        && !token.to_ascii_lowercase().starts_with("auto-")
        && token != "auto"
}

impl BootLoader for BootEntries {
    fn facts(&self) -> LoaderFacts {
        LoaderFacts {
            loader: "bls",
            why: self.why.clone(),
            partition: Some(self.esp.path().to_owned()),
            goes_back: self.goes_back,
        }
    }

    fn decides(&self) -> Decides {
        Decides::Loader
    }

    fn preflight(&self, host: &Host, need: &Need) -> Result<(), BootError> {
        let disk = self.esp.read()?;
        if need.kernel.is_none() {
            return Err(BlsError::ImageWithoutKernel.into());
        }
        let files = [("linux", &need.kernel), ("initrd", &need.initrd)];
        let missing = files.into_iter().filter_map(|(kind, file)| {
            let file = file.as_ref()?;
            let name = file.digest.map(|digest| format!("{kind}-{digest}"));
            (!name.is_some_and(|name| disk.files.contains_key(&name))).then_some(file.size)
        });
        let needed = missing.fold(0, u64::saturating_add);
        self.esp.check_writable()?;
        let free = self.esp.free()?.saturating_add(self.collectable(host, &disk)?);
        work::check_space(self.esp.path().to_owned(), needed, free)?;
        self.simulate(host, &disk)
    }

    fn prepare(&self, _target: &Tree) -> Result<Vec<String>, BootError> {
        Ok(Vec::new())
    }

    fn stage(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
        if let Some(current) = self.current(host)? {
            work::adopt(&self.esp, &self.names, &current.uuid, |disk| self.adopted(host, disk, &current))?;
        }
        let target = self.target(host, &self.esp.read()?, snapshot)?;
        Ok(work::stage(&self.esp, &self.names, &target)?)
    }

    fn select(&self, host: &Host, snapshot: &Snapshot, standing: Standing) -> Result<(), BootError> {
        let state = state(&self.esp.read()?, &self.names, &snapshot.uuid);
        // Without anything that says that a boot succeeded, each boot would count as a failure.
        let blesses = files::blesses(&Tree::open(&host.snapshot_path(snapshot.number))?);
        let left = attempts(standing, state, host.is_live() && snapshot.active).filter(|_| blesses);
        Ok(work::select(&self.esp, &self.names, (snapshot.number, &snapshot.uuid), left)?)
    }

    fn selected(&self, host: &Host) -> Result<Selected, BootError> {
        let disk = self.esp.read()?;
        let (menu, files) = disk.menu(&self.variables())?;
        let snapshots = host.snapshots()?;
        let boots = |index: usize| match files.get(index) {
            Some(file) => self.boots(host, &snapshots, file),
            None => Ok(Boots::Nothing),
        };
        let lasting = menu.without_one_shot();
        let once = menu.first().filter(|first| lasting.first() != Some(*first));
        let once = once.map(boots).transpose()?;
        match lasting.next_and_then() {
            Some((next, then)) => Ok(Selected { once, next: boots(next)?, then: boots(then)? }),
            None => Ok(Selected { once, next: Boots::Nothing, then: Boots::Nothing }),
        }
    }

    fn entry(&self, _host: &Host, snapshot: &Snapshot) -> Result<EntryState, BootError> {
        Ok(state(&self.esp.read()?, &self.names, &snapshot.uuid))
    }

    fn mark(&self, _host: &Host, snapshot: &Snapshot, mark: Mark) -> Result<(), BootError> {
        Ok(work::mark(&self.esp, &self.names, &snapshot.uuid, mark)?)
    }

    fn forget(&self, _host: &Host, snapshot: &Snapshot) -> Result<(), BootError> {
        Ok(work::forget(&self.esp, &self.names, &snapshot.uuid)?)
    }

    fn tidy(&self, host: &Host) -> Result<(), BootError> {
        let disk = self.esp.read()?;
        let (menu, files) = disk.menu(&self.variables())?;
        let first =
            menu.without_one_shot().first().and_then(|first| files.get(first)).map(|file| file.file.as_str());
        let snapshots: Vec<String> = host.snapshots()?.into_iter().map(|snapshot| snapshot.uuid).collect();
        Ok(work::tidy(&self.esp, &self.names, &snapshots, first)?)
    }
}
