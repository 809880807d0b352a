//! The keys of one file, which overwrite or extend those of the weaker files.

use crate::config::error::ConfigError;
use crate::config::keys::{Boot, Config, EtcTarget, Initrd, Reuse, Sysusers, Usb};
use crate::config::paths::{pattern, tree_path};
use serde::Deserialize;
use std::path::Path;
use tiu_system::glob::Glob;
use tiu_system::named::Named;
use tiu_system::path::TreePathBuf;

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
    reuse: Option<Reuse>,
    boot: Option<Boot>,
    update: Option<String>,
    usb: Option<Usb>,
    usb_filesystems: Option<OneOrMany>,
    usb_report: Option<bool>,
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
    /// Overwrites the keys that `text` has, and adds to lists what its `add-` keys have; `path` is
    /// for messages.
    pub(super) fn overlay(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
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
        if let Some(found) = layer.update {
            if found.trim().is_empty() {
                return Err(invalid("update", &found, "a bundle, or a folder with bundles"));
            }
            self.update = Some(found);
        }
        if let Some(list) = layer.usb_filesystems {
            let list = list.into_vec();
            if let Some(found) = list.iter().find(|name| !USB_FILESYSTEMS.contains(&name.as_str())) {
                return Err(invalid("usb-filesystems", found, "vfat, exfat, iso9660 or ext4"));
            }
            self.usb_filesystems = list;
        }
        self.usb = layer.usb.unwrap_or(self.usb);
        self.usb_report = layer.usb_report.unwrap_or(self.usb_report);
        self.etc_change = layer.etc.change.unwrap_or(self.etc_change);
        self.initrd = layer.initrd.unwrap_or(self.initrd);
        self.initrd_strict = layer.initrd_strict.unwrap_or(self.initrd_strict);
        self.sysusers = layer.sysusers.unwrap_or(self.sysusers);
        self.reuse = layer.reuse.unwrap_or(self.reuse);
        self.boot = layer.boot.unwrap_or(self.boot);
        Ok(())
    }
}

/// Filesystems that media can be allowed to have.
const USB_FILESYSTEMS: [&str; 4] = ["vfat", "exfat", "iso9660", "ext4"];

/// Adds the values of `more` that `list` does not have.
fn add<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for value in more {
        if !list.contains(&value) {
            list.push(value);
        }
    }
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
