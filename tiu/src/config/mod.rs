//! Configuration: `/etc/tiu/tiu.yaml` over `/usr/etc/tiu/tiu.yaml` over `/usr/lib/tiu/tiu.yaml` of the host.
//!
//! A file says only what it wants to be different: key by key, the first file that has a key decides. An unknown key is an error, for a
//! misspelt `keyring` must not pass as "none".

use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use tiu_bundle::trust::{Purpose, ValidAt};
use tiu_extract::image::Verity;
use tiu_system::Hint;
use tiu_system::named::Named;
use tiu_system::tree::Tree;

/// Where configuration lies, relative to the host's root; earlier files win.
pub const FILES: [&str; 3] = ["etc/tiu/tiu.yaml", "usr/etc/tiu/tiu.yaml", "usr/lib/tiu/tiu.yaml"];

/// Files of `/etc` that stay the host's, whatever the image brings.
const ALWAYS_HOST: [&str; 15] = [
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/adjtime",
    "/etc/hostid",
    "/etc/nvme/hostid",
    "/etc/nvme/hostnqn",
    "/etc/iscsi/initiatorname.iscsi",
    "/etc/kernel/cmdline",
    "/etc/tiu/tiu.yaml",
    "/etc/tiu/etc-kept",
    "/etc/snapper/configs/root",
    "/etc/default/snapper",
    "/etc/sysconfig/snapper",
];
/// Files of `/etc` that are the image's, whatever the host has.
/// They are made from what is in `/usr`, or say what is there.
const ALWAYS_IMAGE: [&str; 3] = ["/etc/ld.so.cache", "/etc/os-release", "/etc/udev/hwdb.bin"];

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

/// One file, as written. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Layer {
    keyring: Option<OneOrMany>,
    crl: Option<OneOrMany>,
    purpose: Option<String>,
    valid_at: Option<String>,
    compatible: Option<String>,
    verity: Option<String>,
    allow_downgrade: Option<bool>,
    etc: EtcLayer,
    host_paths: Option<OneOrMany>,
    initrd: Option<Initrd>,
    initrd_path: Option<String>,
    sysusers: Option<Sysusers>,
    boot: Option<Boot>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct EtcLayer {
    always_host: Option<OneOrMany>,
    always_image: Option<OneOrMany>,
    change: Option<EtcTarget>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
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

impl Default for Config {
    fn default() -> Self {
        Config {
            keyring: Vec::new(),
            crl: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::default(),
            compatible: None,
            verity: Verity::default(),
            allow_downgrade: false,
            etc_always_host: ALWAYS_HOST
                .iter()
                .chain(&["/etc/ssh/ssh_host_*"])
                .map(|p| relative(p))
                .collect(),
            etc_always_image: ALWAYS_IMAGE.iter().map(|p| relative(p)).collect(),
            etc_change: EtcTarget::default(),
            host_paths: Vec::new(),
            initrd: Initrd::default(),
            initrd_path: None,
            sysusers: Sysusers::default(),
            boot: Boot::default(),
        }
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It is not YAML, or a key is unknown or has the wrong kind of value.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// File.
        path: PathBuf,
        /// Cause, with line and column.
        source: serde_yaml::Error,
    },
    /// A value cannot be used.
    #[error("{}: {key}: found {found:?}, expected {expected}", path.display())]
    Value {
        /// File.
        path: PathBuf,
        /// Key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: &'static str,
    },
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ConfigError::Read { path, .. } => format!("see whether {} is a readable file", path.display()),
            _ => "docs/guide/configuration.md lists all keys and their values".into(),
        })
    }
}

impl Config {
    /// Reads the host's files below `root`; files that are absent count as empty.
    pub fn load(root: &Path) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        let tree = Tree::open(root).map_err(|e| ConfigError::Read { path: e.path, source: e.source })?;
        // The weakest first, so that each later one overwrites what it names.
        for file in FILES.iter().rev() {
            let path = tree.resolve(Path::new(file));
            match std::fs::read_to_string(&path) {
                Ok(text) => config.overlay(&text, &path)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ConfigError::Read { path, source }),
            }
        }
        Ok(config)
    }

    /// Overwrites what `text` names; `path` is for messages.
    fn overlay(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        // A file of comments alone is YAML's null.
        let layer: Option<Layer> = serde_yaml::from_str(text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
        let layer = layer.unwrap_or_default();
        let absolute = |key: &'static str, list: OneOrMany| -> Result<Vec<String>, ConfigError> {
            let check = |found: String| match found.strip_prefix('/') {
                Some(rest) if !rest.split('/').any(|part| matches!(part, "." | "..")) => Ok(relative(&found)),
                _ => Err(ConfigError::Value {
                    path: path.to_owned(),
                    key,
                    found,
                    expected: "an absolute path without `.` and `..`",
                }),
            };
            list.into_vec().into_iter().map(check).collect()
        };
        if let Some(list) = layer.keyring {
            self.keyring = absolute("keyring", list)?.into_iter().map(PathBuf::from).collect();
        }
        if let Some(list) = layer.crl {
            self.crl = absolute("crl", list)?.into_iter().map(PathBuf::from).collect();
        }
        if let Some(list) = layer.etc.always_host {
            self.etc_always_host = absolute("etc.always-host", list)?;
        }
        if let Some(list) = layer.etc.always_image {
            self.etc_always_image = absolute("etc.always-image", list)?;
        }
        if let Some(list) = layer.host_paths {
            self.host_paths = absolute("host-paths", list)?;
        }
        if let Some(path) = layer.initrd_path {
            self.initrd_path = absolute("initrd-path", OneOrMany::One(path))?.pop();
        }
        if let Some(found) = layer.purpose {
            let expected = "codesign-or-none, codesign, smimesign or any";
            self.purpose = named("purpose", found, expected, path)?;
        }
        if let Some(found) = layer.valid_at {
            self.valid_at = found.parse().map_err(|_| ConfigError::Value {
                path: path.to_owned(),
                key: "valid-at",
                found,
                expected: "now, signing-time, or a time like 2024-01-31T12:00:00Z, or seconds since 1970",
            })?;
        }
        if let Some(found) = layer.verity {
            self.verity = named("verity", found, "auto, kernel or user", path)?;
        }
        self.compatible = layer.compatible.or(self.compatible.take());
        self.allow_downgrade = layer.allow_downgrade.unwrap_or(self.allow_downgrade);
        self.etc_change = layer.etc.change.unwrap_or(self.etc_change);
        self.initrd = layer.initrd.unwrap_or(self.initrd);
        self.sysusers = layer.sysusers.unwrap_or(self.sysusers);
        self.boot = layer.boot.unwrap_or(self.boot);
        Ok(())
    }
}

/// A value that is also one of an option on the command line, and has the same names there.
fn named<T: Named>(
    key: &'static str,
    found: String,
    expected: &'static str,
    path: &Path,
) -> Result<T, ConfigError> {
    let path = path.to_owned();
    T::from_name(&found).ok_or(ConfigError::Value { path, key, found, expected })
}

/// Without leading, trailing and doubled slashes.
fn relative(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// Whether `path` fits `pattern`, in which `*` stands for any run of bytes but a slash.
pub fn matches(pattern: &str, path: &[u8]) -> bool {
    let mut parts = pattern.as_bytes().split(|c| *c == b'*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<&[u8]> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|r| r.starts_with(part)))
        else {
            return false;
        };
        if rest.get(..at).is_some_and(|skipped| skipped.contains(&b'/')) {
            return false;
        }
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.strip_suffix(*last).is_some_and(|skipped| !skipped.contains(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(texts: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in texts {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Config::load(root.path())
    }

    #[test]
    fn no_file_is_the_default() {
        assert_eq!(load(&[]).unwrap(), Config::default());
        assert_eq!(load(&[(FILES[0], "# nothing\n")]).unwrap(), Config::default());
    }

    #[test]
    fn etc_wins_key_by_key() {
        let config = load(&[
            (FILES[2], "keyring: /usr/share/vendor.pem\ncompatible: vendor\ninitrd: none\n"),
            (FILES[1], "compatible: distribution\n"),
            (FILES[0], "keyring: [/etc/tiu/a.pem, /etc//tiu/b/]\nvalid-at: 2024-01-01T00:00:00Z\n"),
        ])
        .unwrap();
        assert_eq!(config.keyring, [PathBuf::from("etc/tiu/a.pem"), PathBuf::from("etc/tiu/b")]);
        assert_eq!(config.compatible.as_deref(), Some("distribution"));
        assert_eq!(config.initrd, Initrd::None);
        assert_eq!(config.valid_at, ValidAt::Unix(1_704_067_200));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let error = load(&[(FILES[0], "keyrings: /x\n")]).unwrap_err();
        assert!(error.to_string().contains("keyrings"), "{error}");
        assert!(error.to_string().contains("etc/tiu/tiu.yaml"), "{error}");
        let error = load(&[(FILES[0], "etc:\n  always-hosts: [/x]\n")]).unwrap_err();
        assert!(error.to_string().contains("always-hosts"), "{error}");
    }

    #[test]
    fn a_relative_or_climbing_path_is_refused() {
        for text in [
            "keyring: a.pem",
            "crl: /a/../b",
            "host-paths: [data]",
            "initrd-path: ./x",
            "etc: {always-host: [x]}",
            "etc: {always-image: [/etc/../x]}",
        ] {
            assert!(matches!(load(&[(FILES[0], text)]), Err(ConfigError::Value { .. })), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused() {
        for text in [
            "valid-at: tomorrow",
            "purpose: none",
            "initrd: maybe",
            "boot: grub3",
            "etc: {change: maybe}",
            "verity: none",
            "- a",
            "keyring: {a: b}",
        ] {
            assert!(load(&[(FILES[0], text)]).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_without_a_star_fits_itself_alone(pattern in "[a-c/]{0,6}", path in "[a-c/]{0,6}") {
            proptest::prop_assert_eq!(matches(&pattern, path.as_bytes()), pattern == path);
        }

        #[test]
        fn what_a_star_was_put_for_fits(before in "[a-c/]{0,4}", gone in "[a-c]{0,4}", after in "[a-c/]{0,4}") {
            let path = format!("{before}{gone}{after}");
            let pattern = format!("{before}*{after}");
            proptest::prop_assert!(matches(&pattern, path.as_bytes()));
        }
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(matches("etc/ssh/ssh_host_*", b"etc/ssh/ssh_host_rsa_key"));
        assert!(!matches("etc/ssh/ssh_host_*", b"etc/ssh/ssh_host_a/b"));
        assert!(matches("etc/*/x*.conf", b"etc/app/x1.conf"));
        assert!(!matches("etc/*/x*.conf", b"etc/app/y/x1.conf"));
        assert!(matches("etc/fstab", b"etc/fstab"));
        assert!(!matches("etc/fstab", b"etc/fstab2"));
        assert!(!matches("etc/ab*ba", b"etc/aba"));
    }
}
