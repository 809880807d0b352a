//! Detects a host that starts by systemd-boot with entries that tiu may write, and its boot
//! partition.

use super::BootEntries;
use super::arguments::root_of;
use super::disk::snapshot_number;
use super::esp::systemd_boot;
use super::variables::{self, loader_info};
use crate::config::Config;
use crate::host::Host;
use libbtrfsutil::subvolume_path_with_id;
use std::path::{Path, PathBuf};
use tiu_system::mountinfo::{self, MountPoint};
use tiu_system::tree::Tree;

/// The mount points of a boot partition.
const PLACES: [&str; 3] = ["efi", "boot/efi", "boot"];
/// Types of partitions (GPT) that a boot loader reads: EFI system partition, XBOOTLDR.
const TYPES: [&str; 2] = ["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "bc13c2ff-59e6-4262-a352-b275fd6f7172"];

/// Returns the boot loader of `host` if it is certain that the host starts by systemd-boot and that
/// nothing else writes its entries. Else returns why not, in words.
pub fn detect(host: &Host, config: &Config) -> Result<BootEntries, String> {
    let found = partitions(host).into_iter().filter(|(mount, _)| mount.fstype == "vfat");
    let found: Vec<PathBuf> = found.map(|(_, path)| path).collect();
    let path = match &found[..] {
        [] => return Err("no FAT partition is mounted at /efi, /boot/efi or /boot".into()),
        [path] => path,
        [one, two, ..] => {
            return Err(format!("FAT partitions are mounted at {} and at {}", one.display(), two.display()));
        }
    };
    let tree = Tree::open(path).map_err(|e| e.to_string())?;
    let Some(loader) = systemd_boot(&tree) else {
        return Err(format!("{} has no systemd-boot", path.display()));
    };
    if has_sdbootutil(host) {
        return Err("sdbootutil writes the boot entries".into());
    }
    if host.is_live() {
        let info = loader_info(Path::new(variables::DIRECTORY)).unwrap_or_else(|| "something else".into());
        if !info.starts_with("systemd-boot") {
            return Err(format!("{info} started this system, and not systemd-boot"));
        }
    }
    let why = format!("{} exists", path.join(loader).display());
    BootEntries::open(host, config, path, why).map_err(|e| e.to_string())
}

/// Returns the boot loader of `host`, whose configuration says that it has one.
pub fn configured(host: &Host, config: &Config) -> Result<BootEntries, String> {
    let has_entries = |path: &PathBuf| {
        Tree::open(path).is_ok_and(|tree| tree.has("loader") || systemd_boot(&tree).is_some())
    };
    let found: Vec<PathBuf> =
        partitions(host).into_iter().map(|(_, path)| path).filter(has_entries).collect();
    match &found[..] {
        [] => Err("nothing with a directory `loader` is mounted at /efi, /boot/efi or /boot".into()),
        [path] => {
            BootEntries::open(host, config, path, "boot: bls is configured".into()).map_err(|e| e.to_string())
        }
        [one, two, ..] => {
            Err(format!("{} and {} both have a directory `loader`", one.display(), two.display()))
        }
    }
}

/// Returns true if the host has sdbootutil, which writes boot entries from a plugin of snapper.
pub fn has_sdbootutil(host: &Host) -> bool {
    Tree::open(host.root()).is_ok_and(|root| {
        ["usr/bin/sdbootutil", "usr/sbin/sdbootutil"].iter().any(|program| root.has(program))
    })
}

/// Returns what is mounted at the places of a boot partition, and where.
fn partitions(host: &Host) -> Vec<(MountPoint, PathBuf)> {
    let paths = PLACES.map(|place| host.root().join(place));
    for path in &paths {
        // Mounts it where that happens on access.
        let _ = path.join("loader").metadata();
    }
    let text = mountinfo::read().unwrap_or_default();
    let mounts: Vec<MountPoint> = mountinfo::mounts(&text).collect();
    let mounted = paths.into_iter().filter_map(|path| {
        let mount = mounts.iter().rev().find(|mount| Path::new(&mount.point) == path)?;
        (mount.fstype != "autofs" && is_boot_partition(mount)).then(|| (mount.clone(), path))
    });
    mounted.collect()
}

/// Returns false if udev knows the type of the partition, and that it is of another one.
fn is_boot_partition(mount: &MountPoint) -> bool {
    let text = std::fs::read_to_string(format!("/run/udev/data/b{}", mount.device)).unwrap_or_default();
    let kind = text.lines().find_map(|line| line.strip_prefix("E:ID_PART_ENTRY_TYPE="));
    // A number such as 0xef is of an MBR.
    kind.is_none_or(|kind| !kind.contains('-') || TYPES.contains(&kind.to_ascii_lowercase().as_str()))
}

/// The arguments of the running kernel, see proc(5).
const ARGUMENTS: &str = "/proc/cmdline";

/// Returns the path of the running snapshot's subvolume if the arguments of the kernel name it: the
/// default is then not what boots. sdbootutil's plugin of snapper changes the arguments.
pub fn fixed_subvolume(host: &Host) -> Option<String> {
    if !host.is_live() || has_sdbootutil(host) {
        return None;
    }
    let (_, subvolume) = root_of(&std::fs::read_to_string(ARGUMENTS).ok()?);
    let running = subvolume_path_with_id(host.root(), host.active_id().ok()?).ok()?;
    subvolume.filter(|path| snapshot_number(path).is_some() && Path::new(path) == running)
}
