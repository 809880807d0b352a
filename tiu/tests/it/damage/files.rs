//! The files that are damaged, and the ways in which they are.

/// A way in which a file is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Damage {
    Missing,
    Empty,
    Truncated,
    Garbage,
    OtherOwner,
    Immutable,
    DanglingLink,
    LoopingLink,
    Directory,
    Fifo,
    /// A block that the disk returns with an error.
    Unreadable,
}

pub(super) const DAMAGES: [Damage; 11] = [
    Damage::Missing,
    Damage::Empty,
    Damage::Truncated,
    Damage::Garbage,
    Damage::OtherOwner,
    Damage::Immutable,
    Damage::DanglingLink,
    Damage::LoopingLink,
    Damage::Directory,
    Damage::Fifo,
    Damage::Unreadable,
];

/// A file of the host.
pub(super) struct File {
    /// Path below the snapshot that boots next, or, with a slash in front, below the host's root.
    pub(super) path: &'static str,
    /// True if an update has all it needs to write the file again.
    pub(super) heals: bool,
    /// The words of a refusal, besides the file's name.
    pub(super) names: &'static [&'static str],
}

pub(super) const fn host(path: &'static str, names: &'static [&'static str]) -> File {
    File { path, heals: false, names }
}

pub(super) const fn image(path: &'static str) -> File {
    File { path, heals: true, names: &[] }
}

pub(super) const STATE: [File; 5] = [
    // Without it, nothing is known to be an image.
    File { path: "usr/lib/sysimage/tiu/bundle.cms", heals: true, names: &["not made by tiu"] },
    image("usr/lib/sysimage/tiu/index.zst"),
    image("usr/lib/sysimage/tiu/etc.json"),
    // Without it, the initrd is nobody's.
    File { path: "usr/lib/sysimage/tiu/generated.json", heals: true, names: &["boot/initramfs"] },
    image("usr/lib/sysimage/tiu/etc/app.conf"),
];

pub(super) const SYSTEM: [File; 5] = [
    image("usr/lib/os-release"),
    image("usr/lib/modules/6.1.1-test/vmlinuz"),
    image("usr/share/same"),
    image("boot/initramfs-6.1.1-test.img"),
    image("usr/lib/tiu/image.yaml"),
];

pub(super) const CONFIGURATION: [File; 5] = [
    host("etc/tiu/tiu.yaml", &["in the configuration"]),
    host("etc/tiu/keyring.pem", &["keyring"]),
    host("etc/tiu/ca.crl", &["revocation", "crl"]),
    host("etc/snapper/configs/root", &["snapper"]),
    host("etc/fstab", &[]),
];

pub(super) const ACCOUNTS: [File; 3] =
    [host("etc/passwd", &["account", "root"]), host("etc/group", &[]), host("etc/shadow", &[])];

pub(super) const SNAPSHOTS: [File; 3] = [
    host("/.snapshots/2/info.xml", &["snapshot 2", "snapshots", "snapper"]),
    host("/.snapshots/.tiu/state.json", &[]),
    host("/.snapshots/.tiu/lock", &[]),
];
