//! Parts of an image that the host would not show: something is, or will be, mounted over them, or
//! the configuration excludes them from updates. An update would be partial: a kernel without its
//! modules, or programs without their libraries.
//!
//! Only the image's own directories count: `/usr`, `/boot`, `/bin` and the like. The rows of the
//! table of [places] that are the host's are mounts on every host, and so are GRUB's modules. What
//! the image has there is reported, not refused.

use super::lookup::Paper;
use std::fmt;
use std::path::{Path, PathBuf};
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::places::{self, Owner};
use tiu_system::fstab::Mount;
use tiu_system::hints;
use tiu_system::mountinfo;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::destination;

/// The reason why a path is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of fstab.
    Fstab,
    /// `host-paths` of the configuration.
    Configured,
    /// A subvolume inside the snapshot.
    Subvolume,
    /// A mount of the system that runs.
    Mounted,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Fstab => "a line of /etc/fstab mounts something at",
            Origin::Configured => "host-paths of tiu.yaml names",
            Origin::Subvolume => "a subvolume inside the snapshot is at",
            Origin::Mounted => "something is mounted at",
        })
    }
}

/// A path of the host that would hide a part of the image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{origin} {}, where the image has {entries} entr{}: {}",
    path.absolute(), if *entries == 1 { "y" } else { "ies" }, list(first, *entries)
)]
pub struct HiddenPart {
    /// The reason why the path is the host's.
    pub origin: Origin,
    /// The path.
    pub path: TreePathBuf,
    /// The number of the image's entries at or below it.
    pub entries: usize,
    /// The first few of them.
    pub first: Vec<TreePathBuf>,
}

/// Parts of the image would be hidden: at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the update would be partial: {}", .0.iter().map(HiddenPart::to_string).collect::<Vec<_>>().join("; "))]
pub struct Hidden(Vec<HiddenPart>);

hints! { struct Hidden {
    Self(parts) => match parts.first()?.origin {
        Origin::Fstab => "remove the line, or mount it at a path that is not the image's",
        Origin::Configured => "remove the path from host-paths: these directories are the image's",
        Origin::Subvolume => "move what it holds elsewhere, then remove it: btrfs subvolume delete",
        Origin::Mounted => "unmount it, and see what mounts it: systemctl list-units --type mount",
    },
} }

/// Returns the first few paths as text.
fn list(first: &[TreePathBuf], entries: usize) -> String {
    let shown: Vec<String> = first.iter().map(|path| path.absolute().to_string()).collect();
    shown.join(", ") + if entries > first.len() { ", ..." } else { "" }
}

/// The paths of a host that are not in every host's table.
#[derive(Clone, Debug, Default)]
pub struct HostPaths(Vec<(Origin, TreePathBuf)>);

impl HostPaths {
    /// Adds the mount points of an fstab. A line that is not mounted at boot (`noauto`) can be
    /// mounted later, and counts too.
    pub fn fstab(mut self, mounts: &[Mount]) -> Self {
        let paths = mounts.iter().filter_map(Mount::path);
        self.0.extend(paths.map(|path| (Origin::Fstab, path)));
        self
    }

    /// Adds `host-paths` of the configuration.
    pub fn configured(mut self, paths: &[TreePathBuf]) -> Self {
        self.0.extend(paths.iter().map(|path| (Origin::Configured, path.clone())));
        self
    }

    /// Adds the subvolumes inside the snapshot.
    pub fn subvolumes(mut self, paths: &[PathBuf]) -> Self {
        let paths =
            paths.iter().filter_map(|path| TreePathBuf::new(path.as_os_str().as_encoded_bytes()).ok());
        self.0.extend(paths.map(|path| (Origin::Subvolume, path)));
        self
    }

    /// Adds what is mounted below `root`, from the text of `/proc/self/mountinfo` (proc(5)).
    ///
    /// A directory that is mounted onto itself hides nothing: systemd makes such mounts for
    /// services (`ProtectSystem`). An extension image of systemd-sysext is over every system that
    /// boots, and the update is below it.
    pub fn mounted(mut self, info: &str, root: &Path) -> Self {
        let mounts: Vec<_> = mountinfo::mounts(info).collect();
        let top = mounts.iter().rev().find(|mount| Path::new(&mount.point) == root);
        for mount in mounts.iter().filter(|mount| mount.source != "sysext") {
            let Ok(below) = Path::new(&mount.point).strip_prefix(root) else { continue };
            let onto_itself = top.is_some_and(|top| {
                mount.device == top.device && Path::new(&mount.root) == Path::new(&top.root).join(below)
            });
            if let Ok(path) = TreePathBuf::new(below.as_os_str().as_encoded_bytes())
                && !onto_itself
            {
                self.0.push((Origin::Mounted, path));
            }
        }
        self
    }

    /// Fails if one of the paths would hide a part of the image.
    pub fn check(&self, index: &Index) -> Result<(), Hidden> {
        let paper = Paper(index);
        let mut parts: Vec<HiddenPart> = Vec::new();
        for (origin, path) in &self.0 {
            let at = destination(&paper, path);
            if at.is_root() || is_of_every_host(&at) || parts.iter().any(|part| part.path == *path) {
                continue;
            }
            let part = hidden(index, *origin, path, &at);
            parts.extend((part.entries > 0).then_some(part));
        }
        if parts.is_empty() { Ok(()) } else { Err(Hidden(parts)) }
    }
}

/// Returns whether `path` is the host's on every host.
fn is_of_every_host(path: &TreePath) -> bool {
    places::is_grub_modules(path)
        || places::innermost(path).is_some_and(|place| matches!(place.owner, Owner::Host | Owner::System))
}

/// Returns the part of the image that `path`, which leads to `at`, would hide. An empty directory
/// is a mount point. Directories that lead to such a row of the table are not counted either.
fn hidden(index: &Index, origin: Origin, path: &TreePath, at: &TreePath) -> HiddenPart {
    /// The number of entries that are named.
    const SHOWN: usize = 3;
    let leads_to_row = |directory: &TreePath| {
        places::never_installed().any(|row| row.starts_with(directory))
            || [TreePath::literal("boot/grub"), TreePath::literal("boot/grub2")].contains(&directory)
    };
    let mut part = HiddenPart { origin, path: path.to_owned(), entries: 0, first: Vec::new() };
    let below = |entry: &TreePath| entry.starts_with(at);
    let image = |entry: &TreePath| places::innermost(entry).is_some_and(|place| place.owner == Owner::Image);
    for entry in index.iter().filter(|entry| below(&entry.path) && image(&entry.path)) {
        let mount_point = entry.kind == Kind::Dir && (*entry.path == *at || leads_to_row(&entry.path));
        if mount_point || is_of_every_host(&entry.path) {
            continue;
        }
        part.entries += 1;
        if part.first.len() < SHOWN {
            part.first.push(entry.path.clone().into_owned());
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::Hint;
    use tiu_system::fstab;
    use tiu_testing::bundles::{entry, file_entry, index_of};

    /// An image with a kernel, a library, links, and mount points of the host.
    fn index() -> Index {
        let directories = [
            "boot",
            "boot/efi",
            "boot/grub2",
            "boot/grub2/x86_64-efi",
            "boot/writable",
            "data",
            "etc",
            "usr",
            "usr/bin",
            "usr/lib",
            "usr/lib64",
            "usr/local",
            "usr/share",
            "usr/share/empty",
            "var",
        ];
        let files = [
            "boot/efi/stray",
            "boot/grub2/x86_64-efi/ext2.mod",
            "boot/vmlinuz-6.1",
            "data/x",
            "usr/bin/su",
            "usr/lib64/libc.so",
            "usr/local/stray",
        ];
        let link = |path: &str, target: &str| tiu_bundle::index::EntryBuf {
            target: Some(target.as_bytes().to_vec().into()),
            size: target.len() as u64,
            ..entry(path, Kind::Symlink, 0o777)
        };
        let links = [link("lib64", "usr/lib64"), link("usr/tmp", "../var/tmp")];
        let directories = directories.map(|path| entry(path, Kind::Dir, 0o755));
        let files = files.map(|path| file_entry(path, b"x"));
        Index::parse(index_of(directories.into_iter().chain(files).chain(links))).unwrap()
    }

    fn fstab(line: &str) -> Result<(), Hidden> {
        HostPaths::default().fstab(&fstab::parse(line)).check(&index())
    }

    #[test]
    fn a_mount_over_what_the_image_has_makes_an_update_partial() {
        for (line, entry) in [
            ("/dev/sda2 /boot ext4 defaults 0 2", "/boot, where the image has 1 entry: /boot/vmlinuz-6.1"),
            ("UUID=1 /boot/ btrfs subvol=@/boot", "/boot/vmlinuz-6.1"),
            ("none /usr/bin none noauto", "/usr/bin/su"),
            ("/opt/su /usr/bin/su none bind", "/usr/bin/su"),
            ("U /lib64 ext4", "/lib64, where the image has 1 entry: /usr/lib64/libc.so"),
            ("U /usr/../usr/bin//su ext4", "/usr/bin/su"),
            ("/opt/share /usr/share none bind,nofail", "/usr/share/empty"),
        ] {
            let error = fstab(line).expect_err(line).to_string();
            assert!(error.starts_with("the update would be partial: a line of /etc/fstab"), "{error}");
            assert!(error.contains(entry), "{line}: {error}");
        }
    }

    #[test]
    fn mounts_of_every_host_and_mount_points_are_not_partial() {
        for line in [
            "U /boot/efi vfat",
            "U /boot/writable btrfs",
            "U /boot/grub2/x86_64-efi btrfs",
            "U /usr/local btrfs",
            "U /usr/local/lib btrfs",
            "U /usr/share/empty ext4",
            "U /usr/share/none ext4",
            "U /usr/tmp tmpfs",
            "U /var btrfs",
            "U /data ext4",
            "U / btrfs",
            "U none swap sw",
            "# /dev/sda2 /boot ext4",
        ] {
            assert_eq!(fstab(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn each_kind_of_host_path_is_named() {
        let path = TreePathBuf::new("usr/lib64").unwrap();
        let configured = HostPaths::default().configured(&[path]).check(&index()).unwrap_err();
        assert!(configured.to_string().contains("host-paths of tiu.yaml names /usr/lib64"), "{configured}");
        let nested = HostPaths::default().subvolumes(&["usr/bin".into()]).check(&index()).unwrap_err();
        assert!(nested.to_string().contains("a subvolume inside the snapshot is at /usr/bin"), "{nested}");
        assert!(nested.hint().unwrap().contains("btrfs subvolume delete"));
    }

    #[test]
    fn a_mount_of_the_running_system_counts_unless_it_hides_nothing() {
        let mounted = |line: &str| {
            let info = format!("1 0 0:41 /@/1 /h rw - btrfs /dev/sda1 rw\n2 1 {line}\n");
            HostPaths::default().mounted(&info, Path::new("/h")).check(&index())
        };
        let error = mounted("0:50 / /h/usr/bin rw - tmpfs tmpfs rw").unwrap_err().to_string();
        assert!(error.contains("something is mounted at /usr/bin"), "{error}");
        assert!(mounted("0:41 /@/1/opt/bin /h/usr/bin rw - btrfs /dev/sda1 rw").is_err());
        // systemd's ProtectSystem, an extension image, another host, the host's own subvolumes.
        for line in [
            "0:41 /@/1/usr/bin /h/usr/bin ro - btrfs /dev/sda1 rw",
            "0:50 / /h/usr ro - overlay sysext ro",
            "0:50 / /usr/bin rw - tmpfs tmpfs rw",
            "0:41 /@/usr/local /h/usr/local rw - btrfs /dev/sda1 rw",
        ] {
            assert_eq!(mounted(line), Ok(()), "{line}");
        }
    }
}
