//! Decides what becomes of persistent paths: a function of what other files have looked up.

use super::error::PersistentError;
use serde::Serialize;
use tiu_bundle::index::Kind;
use tiu_system::path::{TreePath, TreePathBuf, plain};

/// The state of a persistent path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersistentState {
    /// Something is mounted there, or the host's configuration says that it is the host's.
    Host,
    /// Nothing is mounted there, and the directory of the snapshot is empty.
    Empty,
    /// Nothing is mounted there, and the directory of the snapshot holds something.
    InSnapshot,
}

/// A persistent path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Persistent {
    /// The path in the tree.
    #[serde(with = "plain")]
    pub path: TreePathBuf,
    /// True if the image declares it; otherwise an earlier image did.
    pub declared: bool,
    /// Its state.
    pub state: PersistentState,
    /// Lines for a shell that give it a subvolume once the new snapshot runs. Empty if it has one,
    /// or if the host's fstab does not show where its subvolumes are.
    pub commands: Vec<String>,
}

/// The content of the base at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryContent {
    /// Nothing.
    Nothing,
    /// A directory with nothing in it.
    Empty,
    /// A directory with something in it.
    Holds,
    /// Something other than a directory, at the path or above it.
    Other {
        /// Its path in the tree.
        at: TreePathBuf,
        /// Its kind.
        kind: Kind,
    },
}

/// The facts that [`decide`] decides on.
pub struct PersistentFacts<'a> {
    /// The paths that the image declares, as [`declared`](super::declared()) returns them.
    pub declared: &'a [TreePathBuf],
    /// The paths that the base's record has.
    pub recorded: &'a [TreePathBuf],
    /// Paths at which something is mounted now that the host's fstab does not name.
    pub mounted: &'a [TreePathBuf],
    /// Paths that are the host's anyway.
    pub host_paths: &'a [TreePathBuf],
    /// Returns the content of the base at a path.
    pub found: &'a dyn Fn(&TreePath) -> DirectoryContent,
    /// Returns whether the base's image has something other than a directory at a path.
    pub was_other: &'a dyn Fn(&TreePath) -> bool,
    /// Returns the [commands](Persistent::commands) for a path.
    pub commands: &'a dyn Fn(&TreePath) -> Vec<String>,
}

/// The decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistentDecision {
    /// The paths that the image declares, and those that are kept besides; sorted.
    pub paths: Vec<Persistent>,
    /// Further paths that are the host's in this update.
    pub host_paths: Vec<TreePathBuf>,
    /// The paths for the record of the new snapshot.
    pub to_record: Vec<TreePathBuf>,
    /// Paths at which something is mounted now that fstab does not name.
    pub mounted: Vec<TreePathBuf>,
}
/// Decides about each path.
pub fn decide(sides: &PersistentFacts) -> Result<PersistentDecision, PersistentError> {
    let mut decision = PersistentDecision::default();
    for path in sides.declared {
        let (state, apart) = match (is_hosts(sides, path), (sides.found)(path)) {
            (true, _) => (PersistentState::Host, false),
            (false, DirectoryContent::Nothing | DirectoryContent::Empty) => (PersistentState::Empty, true),
            (false, DirectoryContent::Holds) => (PersistentState::InSnapshot, true),
            // It is the old image's own; the new image replaces it with the directory.
            (false, DirectoryContent::Other { at, .. }) if (sides.was_other)(&at) => {
                (PersistentState::Empty, false)
            }
            (false, DirectoryContent::Other { at, kind }) => {
                return Err(PersistentError::NotOnHost { path: path.clone(), at, found: kind });
            }
        };
        decision.add(sides, path, true, state, apart);
    }
    for path in sides.recorded {
        let within = sides.declared.iter().any(|declared| path.starts_with(declared));
        if !within && !is_hosts(sides, path) && (sides.found)(path) == DirectoryContent::Holds {
            decision.add(sides, path, false, PersistentState::InSnapshot, true);
        }
    }
    for path in sides.mounted {
        decision.host_paths.push(path.clone());
        decision.mounted.push(path.clone());
        decision.to_record.push(path.clone());
    }
    decision.paths.sort_by(|a, b| a.path.cmp(&b.path));
    decision.to_record.sort();
    decision.to_record.dedup();
    Ok(decision)
}

/// Returns whether the path is the host's anyway.
fn is_hosts(sides: &PersistentFacts, path: &TreePath) -> bool {
    sides.host_paths.iter().chain(sides.mounted).any(|host| path.starts_with(host))
}
impl PersistentDecision {
    fn add(
        &mut self,
        sides: &PersistentFacts,
        path: &TreePath,
        declared: bool,
        state: PersistentState,
        apart: bool,
    ) {
        if apart {
            self.host_paths.push(path.to_owned());
        }
        self.to_record.push(path.to_owned());
        let commands = if state == PersistentState::Host { Vec::new() } else { (sides.commands)(path) };
        self.paths.push(Persistent { path: path.to_owned(), declared, state, commands });
    }
}

impl Persistent {
    /// Returns a warning for the administrator.
    pub fn warning(&self) -> Option<String> {
        let Persistent { path, declared, state, .. } = self;
        let what = match (state, declared) {
            (PersistentState::Host, _) => return None,
            (PersistentState::Empty, _) => format!(
                "/{path} is persistent in the image, but nothing is mounted there: data written there is part of the snapshot, and a rollback takes it back"
            ),
            (PersistentState::InSnapshot, true) => format!(
                "/{path} is persistent in the image, but nothing is mounted there: its content is part of the snapshot and was carried over; changes there \
                 until the next boot stay behind, and a rollback takes it back"
            ),
            (PersistentState::InSnapshot, false) => format!(
                "/{path} was persistent in an earlier image and is not in this one; its content is part of the snapshot and was carried over"
            ),
        };
        Some(format!("{what}; give it a subvolume (docs/guide/var.md)"))
    }
}
