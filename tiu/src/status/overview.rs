//! Facts about snapshots.

use super::facts::{ImageFacts, SignerFacts};
use crate::boot::bootable::{self, NeededInitrd};
use crate::boot::{Selected, initrd};
use crate::config::{Config, Initrd};
use crate::host::{FailedImage, Host, Recalled};
use crate::snapshots::{Snapshot, SnapshotError, State};
use crate::state::{ImageState, Record, StateError};
use serde::Serialize;
use std::collections::BTreeMap;
use tiu_bundle::trust::Trust;
use tiu_system::os_release::{self, OsRelease};
use tiu_system::tree::{MAX_TEXT, Tree};

/// Facts about a snapshot. The field names are those of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotFacts {
    /// snapper's number.
    pub number: u32,
    /// Creation time, RFC 3339, UTC.
    pub date: String,
    /// snapper's description.
    pub description: String,
    /// UUID of the subvolume; UUIDs are never reused.
    pub uuid: String,
    /// Its state, by its userdata.
    pub state: State,
    /// True if it is running (or, for another root, mounted there).
    pub running: bool,
    /// True if it boots next.
    pub next: bool,
    /// True if its subvolume is read-only.
    pub read_only: bool,
    /// True if it is excluded from every clean-up.
    pub pinned: bool,
    /// True if it contains a finished system that could boot.
    pub bootable: bool,
    /// The part that a finished system lacks for a boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// The failure of its image on this host, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The image that was applied in it.
    pub image: Option<ImageFacts>,
    /// The signature of the image.
    pub signature: Signature,
    /// The warnings about its initrd, as found when it was made.
    pub initrd_warnings: Vec<String>,
    /// The problem with the signature or with what was signed.
    pub problem: Option<String>,
    #[serde(skip)]
    parent_uuid: Option<String>,
}
/// The result of checking signature, manifest and index. Files are not read: `tiu verify` reads
/// them.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Signature {
    /// The snapshot has no image.
    None,
    /// The signer is trusted, and manifest and index are what was signed.
    AsSigned {
        /// The signer.
        signer: SignerFacts,
        /// The time at which a certificate expired, if it has since the image was signed.
        expired_since: Option<String>,
    },
    /// No keyring was given.
    NotChecked,
    /// The signature is wrong or its signer is not trusted.
    NotTrusted,
    /// Manifest or index differ from what was signed, or cannot be read.
    Changed,
}

impl Signature {
    /// Returns the signer, if the signature is good.
    pub fn signer(&self) -> Option<&SignerFacts> {
        match self {
            Signature::AsSigned { signer, .. } => Some(signer),
            _ => None,
        }
    }
}
/// Returns facts about every snapshot of the host.
pub fn snapshots(
    host: &Host,
    config: &Config,
    trust: Option<&Trust>,
) -> Result<Vec<SnapshotFacts>, SnapshotError> {
    let failed = failed_images(host);
    let facts = host.snapshots()?.into_iter().map(|snapshot| {
        let mut facts = facts(host, config, snapshot, trust);
        let failed = facts.image.as_ref().and_then(|image| failed.get(&image.root_hash));
        facts.failed = failed.map(|failed| failed.reason.clone());
        facts
    });
    Ok(facts.collect())
}

/// Returns the images that did not start on this host, by root hash. A memory that cannot be read
/// has none; `tiu apply` warns about it.
pub fn failed_images(host: &Host) -> BTreeMap<String, FailedImage> {
    match host.recall() {
        Ok(Recalled::Known(memory)) => memory.failed,
        _ => BTreeMap::new(),
    }
}

/// Marks the snapshot that boots next, where the boot loader says which.
pub fn mark_next(snapshots: &mut [SnapshotFacts], selected: &Selected) {
    for snapshot in snapshots {
        snapshot.next = selected.next.number() == Some(snapshot.number);
    }
}

fn facts(host: &Host, config: &Config, snapshot: Snapshot, trust: Option<&Trust>) -> SnapshotFacts {
    let (state, pinned) = (snapshot.state(), snapshot.is_pinned());
    let mut facts = SnapshotFacts {
        number: snapshot.number,
        date: snapshot.date,
        description: snapshot.description,
        uuid: snapshot.uuid,
        state,
        running: snapshot.active,
        next: snapshot.default,
        pinned,
        read_only: snapshot.read_only,
        bootable: false,
        lacks: None,
        failed: None,
        image: None,
        signature: Signature::None,
        initrd_warnings: Vec::new(),
        problem: None,
        parent_uuid: snapshot.parent_uuid,
    };
    let path = host.snapshot_path(snapshot.number);
    let finished = matches!(state, State::Ordinary | State::Done);
    // An unfinished snapshot says nothing reliable.
    let image = match Tree::open(&path) {
        Ok(tree) if state != State::InProgress => facts.read_image(tree, trust),
        Ok(_) => None,
        Err(e) => {
            facts.problem = Some(e.to_string());
            return facts;
        }
    };
    if finished {
        facts.lacks = match Tree::open(&path) {
            Ok(tree) => check_bootable(&tree, image.as_ref(), config).err(),
            Err(e) => Some(e.to_string()),
        };
        facts.bootable = facts.lacks.is_none();
    }
    facts
}

impl SnapshotFacts {
    /// Reads what the snapshot says of its image. Returns it, if there is an image and its manifest
    /// can be read.
    fn read_image(&mut self, tree: Tree, trust: Option<&Trust>) -> Option<ImageState> {
        let state = match ImageState::from_tree(tree, self.number, trust) {
            Ok(state) => state,
            Err(e) => {
                self.changed(&e);
                return None;
            }
        };
        let provenance = state.provenance()?;
        self.image = Some((&provenance.manifest).into());
        // A damaged record is named by `tiu verify`.
        if let Ok(Some(Record { initrd: Some(initrd), .. })) = state.record() {
            self.initrd_warnings.clone_from(&initrd.warnings);
        }
        if let Err(e) = state.index() {
            self.changed(&e);
            return Some(state);
        }
        match &provenance.signer {
            Ok(signer) => {
                let expired_since = provenance.expired.clone();
                self.signature = Signature::AsSigned { signer: signer.into(), expired_since };
            }
            Err(e) => {
                self.signature = if trust.is_some() { Signature::NotTrusted } else { Signature::NotChecked };
                self.problem = trust.is_some().then(|| e.to_string());
            }
        }
        Some(state)
    }

    fn changed(&mut self, error: &StateError) {
        self.signature = Signature::Changed;
        self.problem = Some(error.source.to_string());
    }

    /// Returns its content in few words: the image, or snapper's description.
    pub fn title(&self) -> String {
        match &self.image {
            Some(image) => format!("{} {}", image.compatible, image.version),
            None if self.description.is_empty() => "(no description)".into(),
            None => self.description.clone(),
        }
    }

    /// The signature, in few words.
    pub fn signed(&self) -> String {
        match (&self.signature, &self.problem) {
            (_, _) if self.state == State::InProgress => "unfinished".into(),
            (Signature::None, _) => "no image".into(),
            (Signature::AsSigned { signer, expired_since: Some(time) }, _) => {
                format!("as signed by {}, expired since {time}", signer.subject)
            }
            (Signature::AsSigned { signer, .. }, _) => format!("as signed by {}", signer.subject),
            (Signature::NotChecked, _) => "signature not checked: no keyring".into(),
            (Signature::NotTrusted, problem) => {
                format!("NOT TRUSTED: {}", problem.as_deref().unwrap_or_default())
            }
            (Signature::Changed, problem) => format!("CHANGED: {}", problem.as_deref().unwrap_or_default()),
        }
    }
}

/// Checks that `tree` is a system that can boot. Of an `image`, the kernel is checked too; other
/// systems can have theirs elsewhere. Returns what is missing.
pub fn check_bootable(tree: &Tree, image: Option<&ImageState>, config: &Config) -> Result<(), String> {
    if !os_release::PATHS.iter().any(|path| tree.has(path)) {
        return Err("it has no os-release".into());
    }
    let os = os_release::PATHS.iter().find_map(|path| tree.read_text(path, MAX_TEXT).ok().flatten());
    let os = OsRelease::parse(&os.unwrap_or_default());
    let places = |version: &str| {
        let record = image.and_then(|state| state.record().ok().flatten());
        // `initrd-path` may have been another one.
        let made = record.into_iter().flat_map(|record| &record.files).map(|file| &file.path);
        initrd::places(version, &os, config)
            .into_iter()
            .chain(made.filter(|path| path.to_str().is_some_and(|path| path.contains("initr"))).cloned())
            .collect()
    };
    let needed = match config.initrd {
        Initrd::None => NeededInitrd::None,
        _ => NeededInitrd::OneOf(&places),
    };
    let checked = match image.and_then(ImageState::provenance) {
        Some(provenance) => bootable::check(tree, provenance.manifest.tiu.kernel.as_deref(), &needed),
        None => bootable::check_init(tree).and_then(|()| bootable::check_etc(tree)),
    };
    checked.map_err(|e| e.to_string())
}

/// Returns the snapshots to which a rollback can go, the best first: the one that the default was
/// made from, then the others, the newest first. One whose image failed here is not among them.
pub fn ways_back(snapshots: &[SnapshotFacts]) -> Vec<&SnapshotFacts> {
    let parent = snapshots.iter().find(|s| s.next).and_then(|s| s.parent_uuid.clone());
    let mut ways: Vec<&SnapshotFacts> =
        snapshots.iter().filter(|s| s.bootable && !s.next && s.failed.is_none()).collect();
    ways.sort_by_key(|s| (parent.as_ref() != Some(&s.uuid), std::cmp::Reverse(s.number)));
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(number: u32, parent: u32, next: bool, bootable: bool) -> SnapshotFacts {
        SnapshotFacts {
            number,
            date: String::new(),
            description: String::new(),
            uuid: number.to_string(),
            state: State::Done,
            running: false,
            next,
            read_only: true,
            pinned: false,
            bootable,
            lacks: None,
            failed: None,
            image: None,
            signature: Signature::None,
            initrd_warnings: Vec::new(),
            problem: None,
            parent_uuid: Some(parent.to_string()),
        }
    }

    fn numbers(snapshots: &[SnapshotFacts]) -> Vec<u32> {
        ways_back(snapshots).iter().map(|s| s.number).collect()
    }

    #[test]
    fn the_snapshot_that_the_default_was_made_from_comes_first() {
        let all = [
            snapshot(1, 0, false, true),
            snapshot(2, 1, false, true),
            snapshot(3, 1, false, true),
            snapshot(4, 2, true, true),
        ];
        assert_eq!(numbers(&all), [2, 3, 1]);
    }

    #[test]
    fn without_it_the_newest_comes_first_and_what_cannot_boot_never() {
        let all = [
            snapshot(1, 0, false, true),
            snapshot(2, 1, false, false),
            snapshot(3, 9, false, true),
            snapshot(5, 9, true, true),
        ];
        assert_eq!(numbers(&all), [3, 1]);
    }

    #[test]
    fn one_whose_image_failed_here_is_not_a_way_back() {
        let mut all = [snapshot(1, 0, false, true), snapshot(2, 1, false, true), snapshot(3, 2, true, true)];
        all[1].failed = Some("it did not start".into());
        assert_eq!(numbers(&all), [1]);
    }
}
