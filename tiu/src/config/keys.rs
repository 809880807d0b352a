//! The configuration: its keys and their values.

use serde::Deserialize;
use tiu_bundle::trust::{Purpose, ValidAt};
use tiu_extract::Verity;
use tiu_system::glob::Glob;
use tiu_system::named::Named;
use tiu_system::path::TreePathBuf;

/// The way in which a new snapshot gets its initrd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initrd {
    /// The image's initrd if it has one, else dracut's if the image has a kernel and dracut, else
    /// none.
    #[default]
    Auto,
    /// The image's dracut always makes it.
    Dracut,
    /// The image's initrd; an image without one is an error.
    Image,
    /// tiu does nothing.
    None,
}

/// The place where `tiu etc` changes files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EtcTarget {
    /// The running system's /etc if it can be written and what runs boots next, else a new
    /// snapshot.
    #[default]
    Auto,
    /// The running system's /etc.
    Running,
    /// A new snapshot, which boots next.
    Snapshot,
}

impl Named for EtcTarget {
    const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (
            EtcTarget::Auto,
            "auto",
            "The running system's /etc if it can be written and what runs boots next, else a new snapshot",
        ),
        (EtcTarget::Running, "running", "The running system's /etc"),
        (EtcTarget::Snapshot, "snapshot", "A new snapshot, which boots next"),
    ];
}

/// The treatment of users and groups that an image asks for in sysusers.d.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sysusers {
    /// The host's systemd-sysusers makes them, if the host has it.
    #[default]
    Auto,
    /// The new system makes them.
    None,
}

/// The grounds on which an update keeps files of the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reuse {
    /// The filesystem's own record of changes since the base was compared. Everything is compared
    /// where there is none.
    Proved,
    /// The content of each file, read and hashed.
    #[default]
    Hashed,
}

/// The boot loader that is updated when the default changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// The one that the host is found to have.
    #[default]
    Auto,
    /// systemd-boot, with entries that tiu writes.
    Bls,
    /// None: the boot loader reads kernel and initrd from the default subvolume, or another program
    /// updates it.
    None,
}

/// The treatment of a medium with bundles that is plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usb {
    /// It is not even mounted.
    #[default]
    Ignore,
    /// Its bundles are verified, and what an update would do is printed.
    Announce,
    /// The newest bundle that the host takes is applied.
    Apply,
}

/// The configuration of a host: what its administrator and its distribution decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Trusted certificates: files and directories.
    pub keyring: Vec<TreePathBuf>,
    /// Revocation lists besides those in the keyring.
    pub crl: Vec<TreePathBuf>,
    /// Certificates that are not trusted, regardless of who names them.
    pub distrust: Vec<TreePathBuf>,
    /// The purpose that the signer's certificate must have.
    pub purpose: Purpose,
    /// The time at which certificates must be valid.
    pub valid_at: ValidAt,
    /// The kind of host.
    pub compatible: Option<String>,
    /// The verifier of an image's blocks.
    pub verity: Verity,
    /// True if the host accepts older images.
    pub allow_downgrade: bool,
    /// The oldest version that the host accepts.
    pub min_version: Option<String>,
    /// Files of `/etc`, and directories with all that is in them, that are always the host's.
    pub etc_always_host: Vec<Glob>,
    /// Files of `/etc`, and directories with all that is in them, that are always the image's.
    pub etc_always_image: Vec<Glob>,
    /// The place where `tiu etc reset` and `tiu etc keep` change files.
    pub etc_change: EtcTarget,
    /// Further paths that belong to the host, with all that is below them.
    pub host_paths: Vec<TreePathBuf>,
    /// The way in which a new snapshot gets its initrd.
    pub initrd: Initrd,
    /// True if an initrd that may not be complete is refused.
    pub initrd_strict: bool,
    /// The path in the tree to which dracut writes. `{kernel}` stands for the kernel's
    /// version. By default, the path that the distribution uses.
    pub initrd_path: Option<String>,
    /// The treatment of users and groups in sysusers.d.
    pub sysusers: Sysusers,
    /// The grounds on which an update keeps files of the base.
    pub reuse: Reuse,
    /// The boot loader.
    pub boot: Boot,
    /// The source of unattended updates, as it is written: a location.
    pub update: Option<String>,
    /// The treatment of media that are plugged in.
    pub usb: Usb,
    /// Types of filesystems that are mounted on such media.
    pub usb_filesystems: Vec<String>,
    /// True if a report is written to such media.
    pub usb_report: bool,
}
