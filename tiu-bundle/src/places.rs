//! The directories of a host, their owners, and whether their content survives a boot.
//!
//! The builder and the client use the same table. The builder does not pack what the client never
//! installs, except the empty directories that the host needs as mount points.
//! `docs/building/contents.md` has the same table; a test compares them.

use tiu_system::path::TreePath;

/// The owner of a directory and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The image: an update replaces the content.
    Image,
    /// Both: an update merges the content, path by path.
    Merged,
    /// The host: no update touches the content.
    Host,
    /// The running system: it makes the content again at each boot.
    System,
    /// The filesystem that the tree is on.
    Filesystem,
}

/// The lifetime of a directory's content: a boot, or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It does, but on other filesystems that are mounted there.
    Elsewhere,
}

/// A directory of every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path.
    pub path: &'static TreePath,
    /// Its owner. A place below it can have another one.
    pub owner: Owner,
    /// The lifetime of its content.
    pub lasts: Lasts,
}

const fn place(path: &'static str, owner: Owner, lasts: Lasts) -> Place {
    Place { path: TreePath::literal(path), owner, lasts }
}

/// The directories, sorted by path. Any other directory is the image's, unless the image's policy
/// or the host's configuration says otherwise.
pub const PLACES: [Place; 27] = [
    place(".snapshots", Owner::Host, Lasts::Elsewhere),
    place("bin", Owner::Image, Lasts::Yes),
    place("boot", Owner::Image, Lasts::Yes),
    place("boot/efi", Owner::Host, Lasts::Elsewhere),
    place("boot/writable", Owner::Host, Lasts::Elsewhere),
    place("dev", Owner::System, Lasts::No),
    place("efi", Owner::Host, Lasts::Elsewhere),
    place("etc", Owner::Merged, Lasts::Yes),
    place("home", Owner::Host, Lasts::Yes),
    place("lib", Owner::Image, Lasts::Yes),
    place("lib32", Owner::Image, Lasts::Yes),
    place("lib64", Owner::Image, Lasts::Yes),
    place("libx32", Owner::Image, Lasts::Yes),
    place("lost+found", Owner::Filesystem, Lasts::No),
    place("media", Owner::Host, Lasts::Elsewhere),
    place("mnt", Owner::Host, Lasts::Elsewhere),
    place("opt", Owner::Host, Lasts::Yes),
    place("proc", Owner::System, Lasts::No),
    place("root", Owner::Host, Lasts::Yes),
    place("run", Owner::System, Lasts::No),
    place("sbin", Owner::Image, Lasts::Yes),
    place("srv", Owner::Host, Lasts::Yes),
    place("sys", Owner::System, Lasts::No),
    place("tmp", Owner::System, Lasts::No),
    place("usr", Owner::Image, Lasts::Yes),
    place("usr/local", Owner::Host, Lasts::Yes),
    place("var", Owner::Host, Lasts::Yes),
];

/// The part of `/var` that is like `/tmp`. It is the host's as all of `/var`.
pub const VAR_TMP: &TreePath = TreePath::literal("var/tmp");

/// The directory of an image that holds the content of its `/var`, as defaults.
pub const FACTORY_VAR: &TreePath = TreePath::literal("usr/share/factory/var");

/// The directory of the client's state in an image and in a snapshot. It is in the index; what lies
/// in it is not.
pub const STATE_DIR: &TreePath = TreePath::literal("usr/lib/sysimage/tiu");
/// The index of an image.
pub const INDEX_PATH: &TreePath = TreePath::literal("usr/lib/sysimage/tiu/index.zst");
/// The signed manifest of the image that a snapshot was made from.
pub const CMS_PATH: &TreePath = TreePath::literal("usr/lib/sysimage/tiu/bundle.cms");
/// The image's `/etc` as it was signed, in addition to the host's merged one.
pub const PRISTINE_ETC_PATH: &TreePath = TreePath::literal("usr/lib/sysimage/tiu/etc");
/// The report of how `/etc` was merged.
pub const ETC_REPORT_PATH: &TreePath = TreePath::literal("usr/lib/sysimage/tiu/etc.json");
/// The record of what an update generated in a snapshot.
pub const RECORD_PATH: &TreePath = TreePath::literal("usr/lib/sysimage/tiu/generated.json");

/// Returns the innermost place that holds `path`, or is `path`.
pub fn innermost(path: &TreePath) -> Option<&'static Place> {
    PLACES.iter().rev().find(|place| path.starts_with(place.path))
}

/// Returns the directories in which an update changes nothing on any host: those of the host and of
/// the running system.
pub fn never_installed() -> impl Iterator<Item = &'static TreePath> {
    PLACES.iter().filter(|place| matches!(place.owner, Owner::Host | Owner::System)).map(|place| place.path)
}

/// Returns whether `path` is, or lies below, a directory of GRUB's modules for one kind of machine,
/// such as `boot/grub2/x86_64-efi`. Where it is a mount, the modules belong to the boot loader that
/// the host installed: both must be of one version.
pub fn is_grub_modules(path: &TreePath) -> bool {
    /// The second half of the names of GRUB's targets (`grub-install --target`).
    const FIRMWARE: [&[u8]; 13] = [
        b"pc",
        b"efi",
        b"coreboot",
        b"ieee1275",
        b"multiboot",
        b"qemu",
        b"qemu_mips",
        b"xen",
        b"xen_pvh",
        b"emu",
        b"uboot",
        b"arc",
        b"loongson",
    ];
    let below = ["boot/grub", "boot/grub2"].iter().find_map(|top| path.strip_prefix(TreePath::literal(top)));
    let name = below.and_then(|below| below.components().next());
    let target = name.and_then(|name| name.iter().position(|c| *c == b'-').map(|at| name.split_at(at)));
    target.is_some_and(|(machine, firmware)| {
        !machine.is_empty() && firmware.strip_prefix(b"-").is_some_and(|name| FIRMWARE.contains(&name))
    })
}

/// Returns the directories of the host whose data lies in a snapshot if nothing is mounted there.
pub fn host_data() -> impl Iterator<Item = &'static TreePath> {
    let data = |place: &&Place| place.owner == Owner::Host && place.lasts == Lasts::Yes;
    PLACES.iter().filter(data).map(|place| place.path)
}

/// Returns whether nothing at `path` lasts over a boot.
pub fn is_fleeting(path: &TreePath) -> bool {
    path.starts_with(VAR_TMP) || innermost(path).is_some_and(|place| place.lasts == Lasts::No)
}

impl Owner {
    /// Returns the word of the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Owner::Image => "image",
            Owner::Merged => "merged",
            Owner::Host => "host",
            Owner::System => "system",
            Owner::Filesystem => "filesystem",
        }
    }
}

impl Lasts {
    /// Returns the word of the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Lasts::Yes => "yes",
            Lasts::No => "no",
            Lasts::Elsewhere => "elsewhere",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_a_place_comes_after_those_that_hold_it() {
        assert!(PLACES.is_sorted_by(|a, b| a.path < b.path));
        let place = |path| innermost(TreePath::new(path).unwrap()).map(|place| place.path.to_str().unwrap());
        for (path, found) in [
            ("usr/local/bin", Some("usr/local")),
            ("usr/local", Some("usr/local")),
            ("usr/local2", Some("usr")),
            ("boot/vmlinuz", Some("boot")),
            ("boot/efi/EFI", Some("boot/efi")),
            ("bootstrap", None),
            ("", None),
            ("data", None),
        ] {
            assert_eq!(place(path), found, "{path}");
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let text = include_str!("../../docs/building/contents.md");
        let row = |place: &Place| {
            format!("| `{}` | {} | {} |", place.path.absolute(), place.owner.name(), place.lasts.name())
        };
        let table = text.lines().skip_while(|line| !line.starts_with("| directory | owner |")).skip(2);
        let found: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
        // The last column is prose.
        let found: Vec<String> =
            found.iter().map(|line| line.split_inclusive('|').take(4).collect::<String>()).collect();
        assert_eq!(found, PLACES.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn the_guide_lists_what_is_never_installed() {
        let text = include_str!("../../docs/guide/var.md");
        let list: Vec<String> = never_installed().map(|path| path.absolute().to_string()).collect();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("- `{}`", list.join(" "))), "{}", list.join(" "));
    }

    #[test]
    fn modules_of_grub_are_for_one_kind_of_machine() {
        let grub = |path| is_grub_modules(TreePath::new(path).unwrap());
        for path in ["boot/grub2/x86_64-efi", "boot/grub2/i386-pc/ext2.mod", "boot/grub/arm64-efi"] {
            assert!(grub(path), "{path}");
        }
        for path in
            ["boot/grub2", "boot/grub2/fonts", "boot/grub2/-efi", "boot/x86_64-efi", "usr/lib/grub2/i386-pc"]
        {
            assert!(!grub(path), "{path}");
        }
    }

    #[test]
    fn what_boots_keep() {
        let fleeting = |path| is_fleeting(TreePath::new(path).unwrap());
        for path in ["tmp", "run/user", "var/tmp", "var/tmp/x", "proc"] {
            assert!(fleeting(path), "{path}");
        }
        for path in ["var", "var/tmpx", "home", "mnt", "data", "usr/local"] {
            assert!(!fleeting(path), "{path}");
        }
        let data: Vec<String> = host_data().map(|path| path.to_string()).collect();
        assert_eq!(data, ["home", "opt", "root", "srv", "usr/local", "var"]);
    }

    #[test]
    fn the_clients_state_lies_in_one_directory() {
        for path in [INDEX_PATH, CMS_PATH, PRISTINE_ETC_PATH, ETC_REPORT_PATH, RECORD_PATH] {
            let below = path.strip_prefix(STATE_DIR);
            assert!(below.is_some_and(|below| below.components().count() == 1), "{path}");
        }
    }
}
