//! Facts about snapshots.

use super::facts::{ImageFacts, SignerFacts};
use crate::host::Host;
use crate::snapshots::{Snapshot, SnapshotError, State};
use crate::state::{ImageState, StateError};
use serde::Serialize;
use tiu_bundle::trust::Trust;
use tiu_system::tree::Tree;

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
    /// Whether it is running (or, for another root, mounted there).
    pub running: bool,
    /// Whether it boots next.
    pub next: bool,
    /// Whether its subvolume is read-only.
    pub read_only: bool,
    /// Whether it is excluded from every clean-up.
    pub pinned: bool,
    /// Whether it contains a finished system that could boot.
    pub bootable: bool,
    /// The image that was applied in it.
    pub image: Option<ImageFacts>,
    /// The signature of the image.
    pub signature: Signature,
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
    },
    /// No keyring was given.
    NotChecked,
    /// The signature is wrong or its signer is not trusted.
    NotTrusted,
    /// Manifest or index differ from what was signed, or cannot be read.
    Changed,
}
/// Returns facts about every snapshot of the host.
pub fn snapshots(host: &Host, trust: Option<&Trust>) -> Result<Vec<SnapshotFacts>, SnapshotError> {
    Ok(host.snapshots()?.into_iter().map(|snapshot| facts(host, snapshot, trust)).collect())
}

fn facts(host: &Host, snapshot: Snapshot, trust: Option<&Trust>) -> SnapshotFacts {
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
        image: None,
        signature: Signature::None,
        problem: None,
        parent_uuid: snapshot.parent_uuid,
    };
    match Tree::open(&host.snapshot_path(snapshot.number)) {
        Ok(tree) => {
            facts.bootable = matches!(state, State::Ordinary | State::Done) && has_system(&tree);
            // An unfinished snapshot says nothing reliable.
            if state != State::InProgress {
                facts.read_image(tree, trust);
            }
        }
        Err(e) => facts.problem = Some(e.to_string()),
    }
    facts
}

impl SnapshotFacts {
    fn read_image(&mut self, tree: Tree, trust: Option<&Trust>) {
        let state = match ImageState::of_tree(tree, self.number, trust) {
            Ok(state) => state,
            Err(e) => return self.changed(&e),
        };
        let Some(provenance) = state.provenance() else { return };
        self.image = Some((&provenance.manifest).into());
        if let Err(e) = state.index() {
            return self.changed(&e);
        }
        match &provenance.signer {
            Ok(signer) => self.signature = Signature::AsSigned { signer: signer.into() },
            Err(e) => {
                self.signature = if trust.is_some() { Signature::NotTrusted } else { Signature::NotChecked };
                self.problem = trust.is_some().then(|| e.to_string());
            }
        }
    }

    fn changed(&mut self, error: &StateError) {
        self.signature = Signature::Changed;
        self.problem = Some(error.source.to_string());
    }

    /// What it holds, in few words: the image, or what snapper says.
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
            (Signature::AsSigned { signer }, _) => format!("as signed by {}", signer.subject),
            (Signature::NotChecked, _) => "signature not checked: no keyring".into(),
            (Signature::NotTrusted, problem) => {
                format!("NOT TRUSTED: {}", problem.as_deref().unwrap_or_default())
            }
            (Signature::Changed, problem) => format!("CHANGED: {}", problem.as_deref().unwrap_or_default()),
        }
    }
}

/// Returns whether the tree contains a system that could boot.
fn has_system(tree: &Tree) -> bool {
    let any = |paths: &[&str]| paths.iter().any(|path| tree.has(path));
    any(&["usr/lib/os-release", "etc/os-release"])
        && any(&["usr/lib/systemd/systemd", "lib/systemd/systemd", "sbin/init", "usr/sbin/init"])
}

/// Returns the snapshots to which a rollback can go, the best first: the one that the default was
/// made from, then the others, the newest first.
pub fn ways_back(snapshots: &[SnapshotFacts]) -> Vec<&SnapshotFacts> {
    let parent = snapshots.iter().find(|s| s.next).and_then(|s| s.parent_uuid.clone());
    let mut ways: Vec<&SnapshotFacts> = snapshots.iter().filter(|s| s.bootable && !s.next).collect();
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
            image: None,
            signature: Signature::None,
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
}
