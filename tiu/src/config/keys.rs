//! The keys of the configuration and their values.

use serde::Deserialize;
use std::path::PathBuf;
use tiu_bundle::trust::{Purpose, ValidAt};
use tiu_extract::Verity;
use tiu_system::named::Named;

/// How the initrd comes into a new snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initrd {
    /// The image's if it has one, else dracut if the image has a kernel and dracut, else none.
    #[default]
    Auto,
    /// Always made with the image's dracut.
    Dracut,
    /// The image's; it is an error if the image has none.
    Image,
    /// Nothing is done.
    None,
}

/// Where `tiu etc` changes files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EtcTarget {
    /// The running system's /etc if it can be written and what runs boots next, else a new snapshot.
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

/// What becomes of users and groups that an image asks for in sysusers.d.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sysusers {
    /// They are made by the host's systemd-sysusers, if it has one.
    #[default]
    Auto,
    /// They are left to the new system.
    None,
}

/// Which boot loader is told about a new default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// Nothing is written: what boots reads kernel and initrd from the default subvolume, or is told by someone else.
    #[default]
    None,
}

/// What the host's administrator and distribution decided. Paths are relative to the host's root, without a leading slash.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Certificates that are trusted.
    pub keyring: Vec<PathBuf>,
    /// Revocation lists beside those of the keyring.
    pub crl: Vec<PathBuf>,
    /// What the signer's certificate must be for.
    pub purpose: Purpose,
    /// When certificates must be valid.
    pub valid_at: ValidAt,
    /// What kind of host this is.
    pub compatible: Option<String>,
    /// How images are opened.
    pub verity: Verity,
    /// Whether older images are accepted.
    pub allow_downgrade: bool,
    /// Files of `/etc`, or directories with all in them, that always stay the host's; `*` stands for any run of characters but a slash.
    pub etc_always_host: Vec<String>,
    /// Files of `/etc` that always become the image's; same patterns.
    pub etc_always_image: Vec<String>,
    /// Where `tiu etc reset` and `tiu etc keep` make their changes.
    pub etc_change: EtcTarget,
    /// More paths that belong to the host, with all below them.
    pub host_paths: Vec<String>,
    /// See [`Initrd`].
    pub initrd: Initrd,
    /// Where dracut writes; `{kernel}` stands for the kernel's version. Default: as the distribution does.
    pub initrd_path: Option<String>,
    /// See [`Sysusers`].
    pub sysusers: Sysusers,
    /// See [`Boot`].
    pub boot: Boot,
}
