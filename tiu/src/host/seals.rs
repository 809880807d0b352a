//! Seals: which snapshots were compared with their index, and at which transaction.
//!
//! A file in tiu's own directory, because a snapshot must not say so of itself. Losing it costs
//! time: what has no seal is read.

use super::error::HostError;
use super::open::Host;
use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use tiu_system::path::TreePathBuf;
use tiu_system::tree::MAX_TEXT;
use tiu_system::versioned;

/// Name of the file.
const NAME: &str = "seals.json";
/// Version of the format. A tiu that compares more than those before has a higher one: what they
/// sealed is not proved to it.
const VERSION: u32 = 1;
/// The number of seals that are kept. The oldest go first.
const MAX_SEALS: usize = 32;

/// A seal: at some moment a subvolume was exactly what an index says, except for some paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The UUID of the filesystem.
    pub filesystem: String,
    /// The UUID of the subvolume.
    pub subvolume: String,
    /// A transaction that was committed before the comparison. Whatever changed later has a higher
    /// number.
    pub transaction: u64,
    /// The SHA-256 of the index.
    pub index: String,
    /// The host's numbers of users, by those of the image, as far as they differ.
    pub uids: BTreeMap<u32, u32>,
    /// The same for groups.
    pub gids: BTreeMap<u32, u32>,
    /// Paths that were not compared, with all that is below.
    pub unproved: Vec<TreePathBuf>,
    /// Files whose content has no checksums, so that the disk's damage is not noticed.
    pub without_checksums: Vec<TreePathBuf>,
    /// The errors that btrfs had counted on the filesystem's devices.
    pub device_errors: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Seals {
    version: u32,
    /// The newest comes last.
    seals: Vec<Seal>,
}

impl Host {
    /// Returns the seals. A file that is missing, damaged or not root's alone has none.
    pub fn seals(&self) -> Vec<Seal> {
        self.read_seals().unwrap_or_default()
    }

    fn read_seals(&self) -> Option<Vec<Seal>> {
        let home = self.home().ok()??;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&home, NAME, flags, Mode::empty()).ok()?);
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
        parse(&bytes)
    }

    /// Adds seals. Each takes the place of an older one of its subvolume. The caller holds the
    /// host's lock.
    ///
    /// After a crash, the file is the old one or the new one, whole.
    pub fn add_seals(&self, new: Vec<Seal>) -> Result<(), HostError> {
        let mut seals = self.seals();
        seals.retain(|old| new.iter().all(|seal| seal.subvolume != old.subvolume));
        seals.extend(new);
        seals.drain(..seals.len().saturating_sub(MAX_SEALS));
        self.write_seals(seals)
    }

    /// Removes the seal of a subvolume, if it has one. The caller holds the host's lock. Afterwards
    /// the seal is gone, also if the machine crashes.
    pub fn remove_seal(&self, subvolume: &str) -> Result<(), HostError> {
        let mut seals = self.seals();
        let before = seals.len();
        seals.retain(|seal| seal.subvolume != subvolume);
        if seals.len() == before { Ok(()) } else { self.write_seals(seals) }
    }

    fn write_seals(&self, seals: Vec<Seal>) -> Result<(), HostError> {
        self.replace_json_in_home(NAME, &Seals { version: VERSION, seals })
    }
}

/// Returns the seals in a file of exactly this version.
fn parse(bytes: &[u8]) -> Option<Vec<Seal>> {
    let read: Seals = versioned::from_json(bytes, VERSION).ok()?;
    (read.version == VERSION).then_some(read.seals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: u32) -> String {
        format!(
            r#"{{"version":{version},"seals":[{{
            "filesystem":"f","subvolume":"s","transaction":7,"index":"i","uids":{{"1":2}},"gids":{{}},
            "unproved":["etc"],"without_checksums":[],"device_errors":[1,0,0,0,0,0]}}]}}"#
        )
    }

    #[test]
    fn a_file_of_another_version_and_a_damaged_one_have_no_seals() {
        let seals = parse(text(VERSION).as_bytes()).unwrap();
        assert_eq!((seals[0].transaction, seals[0].uids[&1]), (7, 2));
        assert_eq!(seals[0].unproved, [TreePathBuf::new("etc").unwrap()]);
        for other in [VERSION - 1, VERSION + 1] {
            assert_eq!(parse(text(other).as_bytes()), None);
        }
        for end in 0..text(VERSION).len() {
            assert_eq!(parse(&text(VERSION).as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_seal_without_one_of_its_fields_is_not_read() {
        for (field, damaged) in [
            ("\"transaction\":7,", ""),
            ("\"unproved\":[\"etc\"],", ""),
            (",\"device_errors\":[1,0,0,0,0,0]", ""),
            ("\"transaction\":7", "\"transaction\":-7"),
            ("\"transaction\":7", "\"transaction\":\"7\""),
            ("\"etc\"", "\"../etc\""),
            ("\"etc\"", "\"/etc\""),
        ] {
            assert!(text(VERSION).contains(field));
            assert_eq!(parse(text(VERSION).replace(field, damaged).as_bytes()), None, "{field} {damaged}");
        }
    }
}
