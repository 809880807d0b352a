//! The rights and the view of each program that runs with data of an image.
//! `docs/internals/security.md` has the same table; a test compares them.

use rustix::thread::CapabilitySet;
use std::path::Path;
use tiu_system::named::Named;

/// The devices that a program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// Those of the running system: the program is one of its own and runs outside the target.
    Outside,
    /// The ones without a state: `null`, `zero`, `full`, `random`, `urandom`.
    Standard,
    /// In addition, this machine's block devices with their names, and what udev knows of them.
    Blocks,
}

/// A program that runs with data of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// dracut of the image, for a machine that is not this one.
    Dracut,
    /// dracut of the image, for this machine.
    DracutHere,
    /// dracut of the image, for this machine, whose disks have device-mapper devices, or a btrfs on
    /// several devices, between them and the root filesystem: dracut asks the kernel about those.
    DracutHereMapped,
    /// setfiles of the image, on empty files that have the names of those to be labelled.
    Setfiles,
    /// systemd-sysusers of the running system, on the image's account files in an empty filesystem.
    Sysusers,
}

impl Named for Profile {
    const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (Profile::Dracut, "dracut", "dracut for another machine"),
        (Profile::DracutHere, "dracut-here", "dracut for this machine"),
        (Profile::DracutHereMapped, "dracut-here-mapped", "dracut for this machine with mapped disks"),
        (Profile::Setfiles, "setfiles", "setfiles"),
        (Profile::Sysusers, "sysusers", "systemd-sysusers"),
    ];
}

/// Copying files of any owner with their mode, making the nodes of an initrd, and `ldconfig -r`.
const DRACUT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::MKNOD);

impl Profile {
    /// Returns the profile of dracut. `here` means that this machine will boot what it makes.
    pub fn dracut(here: bool) -> Self {
        if !here {
            Profile::Dracut
        } else if has_mapped_disks(Path::new("/sys")) {
            Profile::DracutHereMapped
        } else {
            Profile::DracutHere
        }
    }

    /// Returns the capabilities that the program keeps; it cannot get others.
    pub fn capabilities(self) -> CapabilitySet {
        match self {
            Profile::Dracut | Profile::DracutHere => DRACUT,
            // The kernel answers questions about device-mapper and btrfs devices only with it.
            Profile::DracutHereMapped => DRACUT.union(CapabilitySet::SYS_ADMIN),
            // Setting security.* attributes, and labels that the running policy does not know.
            Profile::Setfiles => CapabilitySet::SYS_ADMIN.union(CapabilitySet::MAC_ADMIN),
            // All files are those of root, and stay so.
            Profile::Sysusers => CapabilitySet::empty(),
        }
    }

    /// Returns the devices that the program sees.
    pub fn devices(self) -> Devices {
        match self {
            Profile::Dracut | Profile::Setfiles => Devices::Standard,
            Profile::DracutHere | Profile::DracutHereMapped => Devices::Blocks,
            Profile::Sysusers => Devices::Outside,
        }
    }
}

/// Returns true if a machine has device-mapper or md devices, or a btrfs on more than one device.
/// `sys` is its `/sys`.
fn has_mapped_disks(sys: &Path) -> bool {
    let names = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let mapped = |name: &String| name.starts_with("dm-") || name.starts_with("md");
    let btrfs = sys.join("fs/btrfs");
    names(&sys.join("class/block")).iter().any(mapped)
        || names(&btrfs).iter().any(|id| names(&btrfs.join(id).join("devices")).len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_documented() {
        let text = include_str!("../../../docs/internals/security.md");
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip_while(|line| !line.starts_with("| profile "))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let expected: Vec<[String; 3]> = Profile::NAMES
            .iter()
            .map(|(profile, name, _)| {
                let mut all: Vec<_> = profile.capabilities().iter_names().map(|(name, _)| name).collect();
                all.sort_unstable();
                let all = if all.is_empty() { "none".into() } else { all.join(", ") };
                let devices = match profile.devices() {
                    Devices::Outside => "the running system's",
                    Devices::Standard => "standard",
                    Devices::Blocks => "standard, block devices",
                };
                [format!("`{name}`"), all, devices.into()]
            })
            .collect();
        let documented: Vec<_> = rows.iter().map(|row| [row[0], row[2], row[3]].map(str::to_owned)).collect();
        assert_eq!(documented, expected);
    }

    #[test]
    fn mapped_disks_are_device_mapper_md_and_btrfs_on_several_devices() {
        let dir = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(dir.path().join(path)).unwrap();
        make("class/block/vda1");
        make("fs/btrfs/features");
        make("fs/btrfs/1234/devices/vda1");
        assert!(!has_mapped_disks(dir.path()));
        make("fs/btrfs/1234/devices/vdb");
        assert!(has_mapped_disks(dir.path()));
        std::fs::remove_dir_all(dir.path().join("fs")).unwrap();
        make("class/block/dm-0");
        assert!(has_mapped_disks(dir.path()));
    }
}
