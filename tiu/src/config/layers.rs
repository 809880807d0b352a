//! The files of the configuration, one over the other.

use super::error::ConfigError;
use super::keys::{Boot, Config, EtcTarget, Initrd, Sysusers};
use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use tiu_system::named::Named;
use tiu_system::tree::Tree;

/// Where configuration lies, relative to the host's root; earlier files win.
pub const FILES: [&str; 3] = ["etc/tiu/tiu.yaml", "usr/etc/tiu/tiu.yaml", "usr/lib/tiu/tiu.yaml"];

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
pub(super) fn relative(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_bundle::trust::ValidAt;

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
}
