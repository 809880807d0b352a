//! The files of the configuration: each overwrites the weaker ones, key by key. A list is
//! overwritten as a whole; its `add-` key adds to what the defaults and the weaker files have.

use super::error::ConfigError;
use super::keys::{Boot, Config, EtcTarget, Initrd, Sysusers};
use super::paths::{pattern, tree_path};
use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::glob::Glob;
use tiu_system::named::Named;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Files, MAX_TEXT, System, Tree, TreeError};

/// The files of the configuration; earlier ones win.
pub const FILES: [&TreePath; 3] = [
    TreePath::literal("etc/tiu/tiu.yaml"),
    TreePath::literal("usr/etc/tiu/tiu.yaml"),
    TreePath::literal("usr/lib/tiu/tiu.yaml"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Layer {
    keyring: Option<OneOrMany>,
    add_keyring: Option<OneOrMany>,
    crl: Option<OneOrMany>,
    add_crl: Option<OneOrMany>,
    distrust: Option<OneOrMany>,
    purpose: Option<String>,
    valid_at: Option<String>,
    compatible: Option<String>,
    verity: Option<String>,
    allow_downgrade: Option<bool>,
    min_version: Option<String>,
    etc: EtcLayer,
    host_paths: Option<OneOrMany>,
    add_host_paths: Option<OneOrMany>,
    initrd: Option<Initrd>,
    initrd_path: Option<String>,
    initrd_strict: Option<bool>,
    sysusers: Option<Sysusers>,
    boot: Option<Boot>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct EtcLayer {
    always_host: Option<OneOrMany>,
    add_always_host: Option<OneOrMany>,
    always_image: Option<OneOrMany>,
    add_always_image: Option<OneOrMany>,
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
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(list) => list,
        }
    }
}

impl Config {
    /// Reads the files of the host at `root`. A file that does not exist counts as empty; one that
    /// cannot be reached is an error.
    pub fn load(root: &Path) -> Result<Self, ConfigError> {
        let tree = Tree::open(root).map_err(unreadable)?;
        Self::load_files(&System::new(&tree), Keys::All)
    }

    /// Reads the files of a system that does not run yet. Of the files that its image brings, only
    /// the keys about trust are read: its own tiu may know keys that this one does not.
    pub fn load_next(system: &System) -> Result<Self, ConfigError> {
        Self::load_files(system, Keys::TrustOfImage)
    }

    fn load_files(system: &System, keys: Keys) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        // The weakest file is read first: each later file overwrites the keys that it has, or adds
        // to them.
        for file in FILES.iter().rev() {
            let Some(bytes) = system.read(file.as_path(), MAX_TEXT).map_err(unreadable)? else { continue };
            let path = Files::shown(system, file.as_path());
            let text = String::from_utf8(bytes).map_err(|e| ConfigError::Read {
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, e),
            })?;
            let by_image = file.as_path().starts_with("usr");
            if keys == Keys::TrustOfImage && by_image {
                config.overlay(&only_trust(&text, &path)?, &path)?;
            } else {
                config.overlay(&text, &path)?;
            }
        }
        config.keep_trust(system);
        Ok(config)
    }

    /// Reads one file, outside of any host.
    pub fn load_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Config::default();
        config.overlay(&text, path)?;
        Ok(config)
    }

    /// Takes the keys that the next update needs to trust its image from the host: an image neither
    /// replaces nor removes them.
    fn keep_trust(&mut self, system: &System) {
        let named: Vec<&Path> = self.trust_paths().map(|path| path.as_path()).collect();
        let real: Vec<PathBuf> = named.iter().filter_map(|path| system.real_path(path)).collect();
        let paths = named.into_iter().chain(real.iter().map(PathBuf::as_path));
        let in_etc = paths.filter(|path| path.starts_with("etc") && *path != Path::new("etc"));
        let globs: Vec<Glob> =
            in_etc.filter_map(|path| Glob::stars(&format!("/{}", path.to_str()?)).ok()).collect();
        for glob in globs {
            if !self.etc_always_host.contains(&glob) {
                self.etc_always_host.push(glob);
            }
        }
    }

    /// Overwrites the keys that `text` has, and adds to lists what its `add-` keys have; `path` is
    /// for messages.
    fn overlay(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        // A file of comments alone is null in YAML.
        let layer: Option<Layer> = serde_yaml::from_str(text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
        let layer = layer.unwrap_or_default();
        let invalid = |key, found: &str, expected| ConfigError::Value {
            path: path.to_owned(),
            key,
            found: found.to_owned(),
            expected,
        };
        let path_of = |key, found: &str| {
            tree_path(found).ok_or_else(|| invalid(key, found, "an absolute path without `.` and `..`"))
        };
        let paths = |key, list: OneOrMany| -> Result<Vec<TreePathBuf>, ConfigError> {
            list.into_vec().iter().map(|found| path_of(key, found)).collect()
        };
        let patterns = |key, list: OneOrMany| -> Result<Vec<Glob>, ConfigError> {
            let expected = "an absolute path without `.` and `..`, or a pattern for such paths";
            let read = |found: &String| pattern(found).ok_or_else(|| invalid(key, found, expected));
            list.into_vec().iter().map(read).collect()
        };
        if let Some(list) = layer.keyring {
            self.keyring = paths("keyring", list)?;
        }
        if let Some(list) = layer.add_keyring {
            add(&mut self.keyring, paths("add-keyring", list)?);
        }
        if let Some(list) = layer.crl {
            self.crl = paths("crl", list)?;
        }
        if let Some(list) = layer.add_crl {
            add(&mut self.crl, paths("add-crl", list)?);
        }
        if let Some(list) = layer.distrust {
            self.distrust = paths("distrust", list)?;
        }
        if let Some(list) = layer.etc.always_host {
            self.etc_always_host = patterns("etc.always-host", list)?;
        }
        if let Some(list) = layer.etc.always_image {
            self.etc_always_image = patterns("etc.always-image", list)?;
        }
        // What is added to one list leaves the other: both would name it, and the image would win.
        if let Some(list) = layer.etc.add_always_host {
            let more = patterns("etc.add-always-host", list)?;
            self.etc_always_image.retain(|pattern| !more.contains(pattern));
            add(&mut self.etc_always_host, more);
        }
        if let Some(list) = layer.etc.add_always_image {
            let more = patterns("etc.add-always-image", list)?;
            self.etc_always_host.retain(|pattern| !more.contains(pattern));
            add(&mut self.etc_always_image, more);
        }
        if let Some(list) = layer.host_paths {
            self.host_paths = paths("host-paths", list)?;
        }
        if let Some(list) = layer.add_host_paths {
            add(&mut self.host_paths, paths("add-host-paths", list)?);
        }
        if let Some(found) = layer.initrd_path {
            self.initrd_path = path_of("initrd-path", &found)?.to_str().map(str::to_owned);
        }
        if let Some(found) = layer.purpose {
            let expected = "codesign-or-none, codesign, smimesign or any";
            self.purpose = named("purpose", found, expected, path)?;
        }
        if let Some(found) = layer.valid_at {
            let expected = "now, signing-time, or a time like 2024-01-31T12:00:00Z, or seconds since 1970";
            self.valid_at = found.parse().map_err(|_| invalid("valid-at", &found, expected))?;
        }
        if let Some(found) = layer.verity {
            self.verity = named("verity", found, "auto, kernel or user", path)?;
        }
        self.compatible = layer.compatible.or(self.compatible.take());
        self.allow_downgrade = layer.allow_downgrade.unwrap_or(self.allow_downgrade);
        if let Some(found) = layer.min_version {
            if found.is_empty() {
                return Err(invalid("min-version", &found, "a version"));
            }
            self.min_version = Some(found);
        }
        self.etc_change = layer.etc.change.unwrap_or(self.etc_change);
        self.initrd = layer.initrd.unwrap_or(self.initrd);
        self.initrd_strict = layer.initrd_strict.unwrap_or(self.initrd_strict);
        self.sysusers = layer.sysusers.unwrap_or(self.sysusers);
        self.boot = layer.boot.unwrap_or(self.boot);
        Ok(())
    }
}

/// Adds the values of `more` that `list` does not have.
fn add<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for value in more {
        if !list.contains(&value) {
            list.push(value);
        }
    }
}

/// The keys that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// All.
    All,
    /// All of the administrator's file, and those about trust of the image's files.
    TrustOfImage,
}

/// Keys about trust.
const TRUST_KEYS: [&str; 7] = ["keyring", "add-keyring", "crl", "add-crl", "distrust", "purpose", "valid-at"];

/// Returns the keys about trust of a file.
fn only_trust(text: &str, path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Syntax { path: path.to_owned(), source };
    let keys: Option<serde_yaml::Mapping> = serde_yaml::from_str(text).map_err(failed)?;
    let mut keys = keys.unwrap_or_default();
    keys.retain(|key, _| key.as_str().is_some_and(|key| TRUST_KEYS.contains(&key)));
    serde_yaml::to_string(&keys).map_err(failed)
}

fn unreadable(error: TreeError) -> ConfigError {
    ConfigError::Read { path: error.path, source: error.source }
}

/// Reads a value that is also a value of an option on the command line, where it has the same name.
fn named<T: Named>(
    key: &'static str,
    found: String,
    expected: &'static str,
    path: &Path,
) -> Result<T, ConfigError> {
    let path = path.to_owned();
    T::from_name(&found).ok_or(ConfigError::Value { path, key, found, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_bundle::trust::ValidAt;

    fn load(texts: &[(&TreePath, &str)]) -> Result<Config, ConfigError> {
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
    fn the_file_in_etc_wins_key_by_key() {
        let config = load(&[
            (FILES[2], "keyring: /usr/share/vendor.pem\ncompatible: vendor\ninitrd: none\n"),
            (FILES[1], "compatible: distribution\n"),
            (FILES[0], "keyring: [/etc/tiu/a.pem, /etc//tiu/b/]\nvalid-at: 2024-01-01T00:00:00Z\n"),
        ])
        .unwrap();
        let keyring: Vec<_> = config.keyring.iter().map(|path| path.to_string()).collect();
        assert_eq!(keyring, ["etc/tiu/a.pem", "etc/tiu/b"]);
        assert_eq!(config.compatible.as_deref(), Some("distribution"));
        assert_eq!(config.initrd, Initrd::None);
        assert_eq!(config.valid_at, ValidAt::Unix(1_704_067_200));
    }

    #[test]
    fn a_list_is_added_to_or_replaced() {
        let defaults = Config::default();
        let load = |texts: &[(&TreePath, &str)]| load(texts).unwrap();
        let added = load(&[
            (FILES[2], "host-paths: /vendor\nkeyring: /usr/share/vendor.pem\ncrl: /usr/share/crl\n"),
            (FILES[1], "add-host-paths: [/distribution, /vendor]\n"),
            (
                FILES[0],
                "etc: {add-always-host: [/etc/mine, /etc/fstab]}\nadd-host-paths: /mine\nadd-keyring: /etc/mine.pem\nadd-crl: /etc/crl\n",
            ),
        ]);
        let shown = |list: &[TreePathBuf]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&added.host_paths), ["vendor", "distribution", "mine"]);
        assert_eq!(shown(&added.keyring), ["usr/share/vendor.pem", "etc/mine.pem"]);
        assert_eq!(shown(&added.crl), ["usr/share/crl", "etc/crl"]);
        let (mine, fstab) = (pattern("/etc/mine").unwrap(), pattern("/etc/fstab").unwrap());
        // What `keyring` and `crl` name in /etc is the host's, too.
        let own = ["/etc/mine", "/etc/mine.pem", "/etc/crl"].map(|path| pattern(path).unwrap());
        assert_eq!(added.etc_always_host, [&defaults.etc_always_host[..], &own].concat());
        assert!(added.etc_always_host.contains(&fstab));
        // The one that replaces, and a file that does both.
        let replaced = load(&[
            (FILES[2], "host-paths: /vendor\netc: {add-always-host: /etc/vendor}\n"),
            (FILES[0], "host-paths: /mine\netc: {always-host: /etc/fstab, add-always-host: /etc/mine}\n"),
        ]);
        assert_eq!(shown(&replaced.host_paths), ["mine"]);
        assert_eq!(replaced.etc_always_host, [fstab, mine]);
        assert_eq!(replaced.etc_always_image, defaults.etc_always_image);
    }

    #[test]
    fn what_is_added_to_one_list_leaves_the_other() {
        let pattern = |text| pattern(text).unwrap();
        let host = load(&[(FILES[0], "etc: {add-always-host: /etc/os-release}\n")]).unwrap();
        assert!(host.etc_always_host.contains(&pattern("/etc/os-release")));
        assert!(!host.etc_always_image.contains(&pattern("/etc/os-release")));
        let image = load(&[(FILES[0], "etc: {add-always-image: /etc/hostname}\n")]).unwrap();
        assert!(image.etc_always_image.contains(&pattern("/etc/hostname")));
        assert!(!image.etc_always_host.contains(&pattern("/etc/hostname")));
    }

    #[test]
    fn the_error_names_an_unknown_key_and_its_file() {
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
            "host-paths: /",
            "etc: {always-host: /}",
            "etc: {always-host: [x]}",
            "etc: {add-always-host: x}",
            "etc: {add-always-image: [/etc/..]}",
            "add-host-paths: data",
            "add-keyring: a.pem",
            "add-crl: [./a]",
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
}
