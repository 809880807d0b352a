//! The memory of a host beyond its snapshots: a file in tiu's own directory.
//!
//! A rollback goes back to an older snapshot with everything in it. This file holds the facts that
//! must not go back with it. A client of another version can read the file after a rollback, and
//! keeps members that it does not know.

use super::error::HostError;
use super::failed::FailedImage;
use super::open::Host;
use super::rfc3339;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use time::OffsetDateTime;
use tiu_system::tree::MAX_TEXT;
use tiu_system::versioned;

/// Name of the file.
const NAME: &str = "state.json";
/// Version of the format.
const VERSION: u32 = 1;
/// The number of failed images that a host remembers.
const MAX_FAILED: usize = 50;
/// Most images that are avoided.
const MAX_AVOIDED: usize = 64;

/// The memory of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    /// The newest image that was ever applied, for each kind of host.
    #[serde(default)]
    pub newest: BTreeMap<String, Newest>,
    /// The images that did not start on this host, by root hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, FailedImage>,
    /// Images that unattended updates do not choose, by the root hash of their hash tree.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub avoided: BTreeMap<String, Avoided>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// An image that a host had and went back from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avoided {
    /// The kind of host that it is for.
    pub compatible: String,
    /// Its version.
    pub version: String,
    /// The time at which it was noted.
    #[serde(with = "rfc3339")]
    pub since: OffsetDateTime,
    /// The reason, in words.
    pub why: String,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Avoided {
    /// Returns the note of an image that is avoided from now on.
    pub fn from_now(compatible: &str, version: &str, why: &str) -> Self {
        let since = super::rfc3339::now_in_seconds();
        let (compatible, version, why) = (compatible.to_owned(), version.to_owned(), why.to_owned());
        Avoided { compatible, version, since, why, unknown: Map::new() }
    }
}

/// The newest image of its kind that was ever applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Its version.
    pub version: String,
    /// The time at which it was packed.
    #[serde(with = "rfc3339")]
    pub created: OffsetDateTime,
    /// The latest signing time of an image that was ever applied.
    #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub signed: Option<OffsetDateTime>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// The file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// It is in order.
    Known(Memory),
    /// It does not exist.
    Missing,
    /// It cannot be used, for this reason.
    Damaged(String),
    /// A later tiu wrote it, in this format.
    Future(u32),
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            version: VERSION,
            newest: BTreeMap::new(),
            failed: BTreeMap::new(),
            avoided: BTreeMap::new(),
            unknown: Map::new(),
        }
    }
}

impl Memory {
    /// Notes that an image for hosts of the kind `compatible` was applied. Nothing becomes older.
    pub fn raise(
        &mut self,
        compatible: &str,
        version: &str,
        created: OffsetDateTime,
        signed: Option<OffsetDateTime>,
        compare: impl Fn(&str, &str) -> Ordering,
    ) {
        let newest = self.newest.entry(compatible.to_owned()).or_insert_with(|| Newest {
            version: version.to_owned(),
            created,
            signed,
            unknown: Map::new(),
        });
        if compare(version, &newest.version).then(created.cmp(&newest.created)).is_gt() {
            newest.version = version.to_owned();
            newest.created = created;
        }
        newest.signed = newest.signed.max(signed);
    }

    /// Notes that the image with this root hash did not start. Of many failures, the oldest are
    /// forgotten.
    pub fn note_failed(&mut self, root_hash: &str, failed: FailedImage) {
        self.failed.insert(root_hash.to_owned(), failed);
        while self.failed.len() > MAX_FAILED {
            let oldest = self.failed.iter().min_by_key(|(_, failed)| failed.when);
            let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) else { return };
            self.failed.remove(&oldest);
        }
    }

    /// Notes that unattended updates do not choose the image with this root hash. Returns false if
    /// that was noted before. The oldest notes go where there are too many.
    pub fn avoid(&mut self, root_hash: &str, note: Avoided) -> bool {
        if self.avoided.contains_key(root_hash) {
            return false;
        }
        while self.avoided.len() >= MAX_AVOIDED {
            let oldest = self.avoided.iter().min_by_key(|(_, note)| note.since).map(|(hash, _)| hash.clone());
            oldest.and_then(|hash| self.avoided.remove(&hash));
        }
        self.avoided.insert(root_hash.to_owned(), note);
        true
    }
}

impl Recalled {
    /// Reads the content of the file.
    pub fn parse(bytes: &[u8]) -> Self {
        match versioned::from_json(bytes, VERSION) {
            Ok(memory) => Recalled::Known(memory),
            Err(error) => error.map(|e| Recalled::Damaged(format!("is damaged: {e}")), Recalled::Future),
        }
    }
}

impl Host {
    /// Returns the path of the file, for messages.
    pub fn memory_path(&self) -> PathBuf {
        self.home_path(NAME)
    }

    /// Reads what the host remembers. The caller decides what a missing or damaged file means.
    /// Fails only where something else than a file is in its place.
    pub fn recall(&self) -> Result<Recalled, HostError> {
        let Some(home) = self.home()? else { return Ok(Recalled::Missing) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&home, NAME, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(Recalled::Missing),
            Err(Errno::LOOP | Errno::NXIO) => return Err(self.not_ours(NAME, "not a regular file")),
            Err(e) => return Ok(unreadable(e.into())),
        };
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(e) => return Ok(unreadable(e)),
        };
        if !metadata.is_file() {
            return Err(self.not_ours(NAME, "not a regular file"));
        }
        if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
            return Ok(Recalled::Damaged("could be written by others than root".into()));
        }
        let mut bytes = Vec::new();
        Ok(match file.take(MAX_TEXT).read_to_end(&mut bytes) {
            Ok(_) => Recalled::parse(&bytes),
            Err(e) => unreadable(e),
        })
    }

    /// Writes what the host remembers. The caller holds the host's lock.
    ///
    /// After a crash, the file is the old one or the new one, whole.
    pub fn remember(&self, memory: &Memory) -> Result<(), HostError> {
        self.replace_json_in_home(NAME, memory)
    }
}

fn unreadable(e: io::Error) -> Recalled {
    Recalled::Damaged(format!("cannot be read: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn nothing_becomes_older() {
        let mut memory = Memory::default();
        let mut raise = |version: &str, created, signed: Option<i64>| {
            memory.raise("testos", version, at(created), signed.map(at), str::cmp);
            let Newest { version, created, signed, .. } = &memory.newest["testos"];
            (version.clone(), created.unix_timestamp(), signed.map(OffsetDateTime::unix_timestamp))
        };
        assert_eq!(raise("2", 20, Some(5)), ("2".into(), 20, Some(5)));
        assert_eq!(raise("1", 30, None), ("2".into(), 20, Some(5)));
        assert_eq!(raise("2", 10, Some(9)), ("2".into(), 20, Some(9)));
        assert_eq!(raise("2", 21, Some(8)), ("2".into(), 21, Some(9)));
        assert_eq!(raise("3", 1, None), ("3".into(), 1, Some(9)));
    }

    #[test]
    fn what_a_later_tiu_noted_is_kept() {
        let text = r#"{"version":1,"newest":{"testos":{"version":"2","created":"2026-01-31T12:00:00Z","why":[1]}},"channel":{"sequence":7}}"#;
        let Recalled::Known(mut memory) = Recalled::parse(text.as_bytes()) else { panic!("not read") };
        memory.raise("testos", "3", at(0), None, str::cmp);
        let written = serde_json::to_value(&memory).unwrap();
        assert_eq!(written["channel"]["sequence"], 7);
        assert_eq!(written["newest"]["testos"]["why"][0], 1);
        assert_eq!(written["newest"]["testos"]["version"], "3");
    }

    #[test]
    fn of_many_failed_images_the_newest_are_kept() {
        let mut memory = Memory::default();
        for number in 0..60 {
            memory.note_failed(
                &format!("{number:064}"),
                FailedImage::new("testos", "1", "why", None, at(number)),
            );
        }
        assert_eq!(memory.failed.len(), MAX_FAILED);
        assert!(memory.failed.values().all(|failed| failed.when >= at(10)));
    }

    #[test]
    fn damage_and_a_later_format_are_told_apart() {
        for text in ["", "{", "[]", "{}", r#"{"version":1,"newest":{"a":{}}}"#] {
            assert!(matches!(Recalled::parse(text.as_bytes()), Recalled::Damaged(_)), "{text}");
        }
        assert_eq!(Recalled::parse(br#"{"version":2,"newest":7}"#), Recalled::Future(2));
        assert_eq!(Recalled::parse(br#"{"version":1}"#), Recalled::Known(Memory::default()));
    }
}
