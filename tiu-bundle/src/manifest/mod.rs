//! The manifest: RAUC's INI text with tiu's keys under `[meta.tiu]`.
//!
//! ```text
//! [update]
//! compatible=example-host
//! version=20260131
//!
//! [bundle]
//! format=verity
//! verity-hash=<64 hex digits>
//! verity-salt=<64 hex digits>
//! verity-size=<bytes>
//!
//! [meta.tiu]
//! format=1
//! arch=x86_64
//! os-id=debian
//! files=<entries of the index>
//! size=<bytes>
//! index-digest=<64 hex digits>
//! created=2026-01-31T12:00:00Z
//! ```
//! RAUC allows more groups (`[hooks]`, `[handler]`, `[image.*]`); a bundle of tiu does not have
//! them. Other `[meta.*]` groups and unknown keys of `[meta.tiu]` are ignored, so a key can be
//! added without a new format if ignoring it is right.

mod error;
mod keyfile;
mod value;
mod version;

pub use error::ManifestError;
pub use version::FORMAT;

use crate::content_digest::Digest;
use crate::hash_tree::Salt;
use crate::index::MAX_ENTRIES;
use keyfile::{Group, KeyfileEntry};
use std::fmt::Write;
use value::Characters;

/// The description of an image and of the hosts that it is for, with the root hash of its hash
/// tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `[update] compatible`: the kind of host the image is for; must equal the host's.
    pub compatible: String,
    /// `[update] version`.
    pub version: String,
    /// `[update] description`.
    pub description: Option<String>,
    /// `[update] build`.
    pub build: Option<String>,
    /// `[bundle] verity-hash`: root hash.
    pub verity_hash: Digest,
    /// `[bundle] verity-salt`.
    pub verity_salt: Salt,
    /// `[bundle] verity-size`: bytes of hash tree, a multiple of 4096.
    pub verity_size: u64,
    /// `[meta.tiu]`.
    pub tiu: Meta,
}

/// The keys of `[meta.tiu]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// `format`.
    pub format: u32,
    /// `arch`, as `uname -m`: `x86_64`, `aarch64`.
    pub arch: String,
    /// `os-id`: `ID` of the image's os-release.
    pub os_id: String,
    /// `kernel`: version directory under `/usr/lib/modules`, when the image has a kernel.
    pub kernel: Option<String>,
    /// `files`: number of index entries.
    pub files: u64,
    /// `size`: sum of regular files' sizes in bytes, hard links counted once.
    pub size: u64,
    /// `index-digest`: SHA-256 of the uncompressed index text.
    pub index_digest: Digest,
    /// `created`: RFC 3339, UTC.
    pub created: String,
    /// `min-version`: hosts older than this must not apply the image.
    pub min_version: Option<String>,
}

/// Longest compatible, version, build in bytes.
const MAX_NAME: usize = 128;
/// Longest description in bytes.
const MAX_DESCRIPTION: usize = 4096;
const MAX_SIZE: u64 = i64::MAX as u64;

impl Manifest {
    /// Strict reading: an unknown key outside `[meta.*]`, a key twice, a future format are errors.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let groups = keyfile::parse(text)?;
        // First, because everything else can be different in a future format.
        let format = match groups.iter().find(|group| group.name == "meta.tiu") {
            Some(meta) => {
                meta.required("[meta.tiu] format", |key, v| value::number(key, v, 1, u32::MAX.into()))? as u32
            }
            None => 0,
        };
        if format > FORMAT {
            return Err(ManifestError::FutureFormat { found: format });
        }
        let update = group(&groups, "update")?;
        update.only(&["compatible", "version", "description", "build"])?;
        let bundle = group(&groups, "bundle")?;
        bundle.only(&["format", "verity-hash", "verity-salt", "verity-size"])?;
        let meta = group(&groups, "meta.tiu")?;
        let known = |group: &&Group| {
            ["update", "bundle"].contains(&group.name.as_str()) || group.name.starts_with("meta.")
        };
        if let Some(unknown) = groups.iter().find(|group| !known(group)) {
            return Err(ManifestError::UnknownGroup { line: unknown.line, group: unknown.name.clone() });
        }
        bundle.required("[bundle] format", |_, v| match v {
            "verity" => Ok(()),
            other => Err(ManifestError::NotVerity(keyfile::shown(other))),
        })?;
        let name = |key, v: &str| value::text(key, v, MAX_NAME, Characters::Printable);
        let version = |key, v: &str| value::text(key, v, MAX_NAME, Characters::Version);
        Ok(Manifest {
            compatible: update.required("[update] compatible", name)?,
            version: update.required("[update] version", version)?,
            description: update.optional("[update] description", |key, v| {
                value::text(key, v, MAX_DESCRIPTION, Characters::Printable)
            })?,
            build: update.optional("[update] build", name)?,
            verity_hash: Digest(bundle.required("[bundle] verity-hash", value::hex)?),
            verity_salt: bundle.required("[bundle] verity-salt", value::hex)?,
            verity_size: bundle.required("[bundle] verity-size", verity_size)?,
            tiu: Meta {
                format,
                arch: meta.required("[meta.tiu] arch", |key, v| value::text(key, v, 32, Characters::Arch))?,
                os_id: meta
                    .required("[meta.tiu] os-id", |key, v| value::text(key, v, 64, Characters::OsId))?,
                kernel: meta.optional("[meta.tiu] kernel", |key, v| {
                    value::file_name(key, v, MAX_NAME, Characters::KernelVersion)
                })?,
                files: meta.required("[meta.tiu] files", |key, v| value::number(key, v, 1, MAX_ENTRIES))?,
                size: meta.required("[meta.tiu] size", |key, v| value::number(key, v, 0, MAX_SIZE))?,
                index_digest: Digest(meta.required("[meta.tiu] index-digest", value::hex)?),
                created: meta.required("[meta.tiu] created", value::time)?,
                min_version: meta.optional("[meta.tiu] min-version", version)?,
            },
        })
    }

    /// Returns the text that is signed. `parse` returns `self` from it if the values are good (see
    /// [`to_checked_text`](Self::to_checked_text)).
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{key}={}", keyfile::escape(&value));
            }
        };
        let some = |value: &dyn ToString| Some(value.to_string());
        line("[update]\ncompatible", some(&self.compatible));
        line("version", some(&self.version));
        line("description", self.description.clone());
        line("build", self.build.clone());
        line("\n[bundle]\nformat", some(&"verity"));
        line("verity-hash", some(&self.verity_hash));
        line("verity-salt", some(&Digest(self.verity_salt)));
        line("verity-size", some(&self.verity_size));
        line("\n[meta.tiu]\nformat", some(&self.tiu.format));
        line("arch", some(&self.tiu.arch));
        line("os-id", some(&self.tiu.os_id));
        line("kernel", self.tiu.kernel.clone());
        line("files", some(&self.tiu.files));
        line("size", some(&self.tiu.size));
        line("index-digest", some(&self.tiu.index_digest));
        line("created", some(&self.tiu.created));
        line("min-version", self.tiu.min_version.clone());
        text
    }

    /// Returns [`to_text`](Self::to_text), or the error of a reader. Builders sign this text.
    pub fn to_checked_text(&self) -> Result<String, ManifestError> {
        let text = self.to_text();
        Manifest::parse(text.as_bytes()).map(|_| text)
    }
}

fn group<'a>(groups: &'a [Group], name: &'static str) -> Result<&'a Group, ManifestError> {
    groups.iter().find(|group| group.name == name).ok_or(ManifestError::MissingGroup(name))
}

fn verity_size(key: &'static str, value: &str) -> Result<u64, ManifestError> {
    match value::number(key, value, 0, MAX_SIZE)? {
        size if size == 0 || !size.is_multiple_of(crate::BLOCK_SIZE as u64) => {
            Err(ManifestError::BadVeritySize(size))
        }
        size => Ok(size),
    }
}

impl Group {
    /// `name` is `[group] key`; `read` gets it and the value.
    fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'static str, &str) -> Result<T, ManifestError>,
    ) -> Result<Option<T>, ManifestError> {
        let key = name.rsplit(' ').next().unwrap_or(name);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| read(name, &entry.value)).transpose()
    }

    fn required<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'static str, &str) -> Result<T, ManifestError>,
    ) -> Result<T, ManifestError> {
        self.optional(name, read)?.ok_or(ManifestError::MissingKey(name))
    }

    fn only(&self, keys: &[&str]) -> Result<(), ManifestError> {
        match self.entries.iter().find(|entry| !keys.contains(&entry.key.as_str())) {
            Some(KeyfileEntry { key, line, .. }) => {
                Err(ManifestError::UnknownKey { line: *line, key: format!("[{}] {key}", self.name) })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_manifest() -> impl Strategy<Value = Manifest> {
        let printable = "[^\\p{C}\\p{Zl}\\p{Zp}\\p{DI}]{1,20}";
        let update =
            (printable, "[a-zA-Z0-9.:+~^_-]{1,20}", prop::option::of(printable), prop::option::of(printable));
        let bundle = (any::<[u8; 32]>(), any::<[u8; 32]>(), 1u64..1 << 40);
        let names = ("[a-z0-9_]{1,10}", "[a-z0-9._-]{1,10}", prop::option::of("[a-z0-9+~_-]{1,20}"));
        let numbers = (1..=MAX_ENTRIES, 0..=MAX_SIZE, any::<[u8; 32]>());
        let times = (0i64..253_402_300_800, prop::option::of("[a-zA-Z0-9.:+~^_-]{1,20}"));
        (update, bundle, names, numbers, times).prop_map(|(update, bundle, names, numbers, times)| Manifest {
            compatible: update.0,
            version: update.1,
            description: update.2,
            build: update.3,
            verity_hash: Digest(bundle.0),
            verity_salt: bundle.1,
            verity_size: bundle.2 * 4096,
            tiu: Meta {
                format: FORMAT,
                arch: names.0,
                os_id: names.1,
                kernel: names.2,
                files: numbers.0,
                size: numbers.1,
                index_digest: Digest(numbers.2),
                created: time::OffsetDateTime::from_unix_timestamp(times.0)
                    .ok()
                    .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
                    .unwrap_or_default(),
                min_version: times.1,
            },
        })
    }

    proptest! {
        #[test]
        fn reading_inverts_writing(manifest in any_manifest()) {
            prop_assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest.clone()));
            prop_assert_eq!(manifest.to_checked_text(), Ok(manifest.to_text()));
        }
    }
}
