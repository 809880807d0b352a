//! The seal of a snapshot: the proof of what in it did not change since it was compared with its
//! index.
//!
//! A snapshot has a seal of its own, or that of the snapshot that it was made from: btrfs keeps the
//! transactions of inodes. It must have been made after the seal.

use super::image_state::ImageState;
use crate::host::{Host, Seal};
use crate::snapshots::Snapshot;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use tiu_bundle::index::Index;
use tiu_extract::Proof;
use tiu_system::btrfs::Subvolume;
use tiu_system::ioctl::SubvolumeFacts;
use tiu_system::path::TreePathBuf;
use tiu_system::tree::Tree;

/// A snapshot with a valid seal.
pub struct SealedTree {
    seal: Seal,
    /// The UUID of the snapshot's subvolume.
    subvolume: String,
    index: Arc<Index>,
    uids: HashMap<u32, u32>,
    gids: HashMap<u32, u32>,
    unproved: Vec<TreePathBuf>,
}

/// The reason why a snapshot has no valid seal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSealed(String);

impl NotSealed {
    fn new(reason: impl Display) -> Self {
        NotSealed(reason.to_string())
    }
}

impl SealedTree {
    /// Returns the snapshot that `state` is of with its seal, or the reason why it has none that
    /// holds.
    pub fn find(host: &Host, state: &ImageState) -> Result<Self, NotSealed> {
        let subvolume = open(state.tree())?;
        let facts = subvolume.facts().map_err(NotSealed::new)?;
        let seal = inherited(host, &facts)?;
        if seal.filesystem != subvolume.filesystem().map_err(NotSealed::new)? {
            return Err(NotSealed::new("the seal is of another filesystem"));
        }
        if seal.device_errors != subvolume.device_errors().map_err(NotSealed::new)? {
            return Err(NotSealed::new("the filesystem has found errors of its devices since the seal"));
        }
        let provenance = state.provenance().ok_or_else(|| NotSealed::new("the snapshot has no image"))?;
        if provenance.manifest.tiu.index_digest.to_string() != seal.index {
            return Err(NotSealed::new("the seal is of another index"));
        }
        let index = state.shared_index().map_err(NotSealed::new)?;
        Ok(SealedTree {
            index: index.ok_or_else(|| NotSealed::new("the snapshot has no index"))?,
            subvolume: facts.uuid,
            uids: seal.uids.iter().map(|(image, host)| (*image, *host)).collect(),
            gids: seal.gids.iter().map(|(image, host)| (*image, *host)).collect(),
            unproved: seal.unproved.iter().chain(&seal.without_checksums).cloned().collect(),
            seal,
        })
    }

    /// Returns the proof for the engine.
    pub fn proof(&self) -> Proof<'_> {
        Proof {
            index: &self.index,
            uids: &self.uids,
            gids: &self.gids,
            unproved: &self.unproved,
            transaction: self.seal.transaction,
        }
    }

    /// Returns the seal.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Returns true if `tree` is the snapshot, or a snapshot of it that was made after the seal.
    pub fn covers(&self, tree: &Tree) -> bool {
        let facts = open(tree).ok().and_then(|subvolume| subvolume.facts().ok());
        facts.is_some_and(|facts| {
            let is_copy =
                facts.parent_uuid.as_ref() == Some(&self.subvolume) && facts.created > self.seal.transaction;
            facts.uuid == self.subvolume || is_copy
        })
    }
}

fn open(tree: &Tree) -> Result<Subvolume<'_>, NotSealed> {
    let subvolume = Subvolume::open(tree.fd()).map_err(NotSealed::new)?;
    subvolume.ok_or_else(|| NotSealed::new("the snapshot is not a btrfs subvolume"))
}

/// Returns the seal of the subvolume with these facts: its own, or that of the nearest subvolume of
/// its line that has one.
fn inherited(host: &Host, facts: &SubvolumeFacts) -> Result<Seal, NotSealed> {
    let none = || NotSealed::new("the snapshot was not compared with its index");
    let seals = host.seals();
    let find = |uuid: &str| seals.iter().find(|seal| seal.subvolume == uuid);
    if let Some(seal) = find(&facts.uuid) {
        // The numbers of a subvolume only grow, unless somebody restores an older filesystem.
        if facts.generation < seal.transaction {
            return Err(NotSealed::new("the filesystem is older than the seal"));
        }
        return Ok(seal.clone());
    }
    let mut line = vec![facts.uuid.clone()];
    let (mut parent, mut created) = (facts.parent_uuid.clone(), facts.created);
    let mut snapshots: Option<Vec<Snapshot>> = None;
    loop {
        let uuid = parent.filter(|uuid| !line.contains(uuid)).ok_or_else(none)?;
        if let Some(seal) = find(&uuid) {
            if created <= seal.transaction {
                return Err(NotSealed::new("the snapshot was made before the seal of its origin"));
            }
            return Ok(seal.clone());
        }
        // The origin's origin is known if the origin still exists.
        let known = match &mut snapshots {
            Some(snapshots) => snapshots,
            None => snapshots.insert(host.snapshots().map_err(NotSealed::new)?),
        };
        let origin = known.iter().find(|snapshot| snapshot.uuid == uuid).ok_or_else(none)?;
        let tree = Tree::open(&host.snapshot_path(origin.number)).map_err(NotSealed::new)?;
        let facts = open(&tree)?.facts().map_err(NotSealed::new)?;
        if facts.uuid != uuid {
            return Err(none());
        }
        // The oldest of the line counts.
        created = created.min(facts.created);
        parent = facts.parent_uuid;
        line.push(uuid);
    }
}
