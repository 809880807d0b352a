//! What becomes of persistent paths, as a function of what others have looked up.

use super::error::PersistentError;
use crate::etc::is_within;
use serde::Serialize;
use tiu_bundle::index::Kind;

/// What is at a persistent path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Something is mounted there, or the host's configuration says that it is the host's.
    Host,
    /// Nothing is mounted there, and it is an empty directory of the snapshot.
    Empty,
    /// Nothing is mounted there, and a directory of the snapshot holds something.
    InSnapshot,
}

/// A persistent path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Persistent {
    /// Without a leading slash.
    pub path: String,
    /// Whether the image declares it; otherwise an earlier one did.
    pub declared: bool,
    /// What is there.
    pub state: State,
    /// How to give it a subvolume once the new snapshot runs: lines for a shell. Empty if it has one, or if the host's fstab does not tell where
    /// its subvolumes are.
    pub commands: Vec<String>,
}

/// What the base has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A directory with nothing in it.
    Empty,
    /// A directory with something in it.
    Holds,
    /// Something that is no directory, there or on the way.
    Other {
        /// Where.
        at: String,
        /// What.
        kind: Kind,
    },
}

/// What [`decide`] is told.
pub struct Sides<'a> {
    /// What the image declares, by [`declared`].
    pub declared: &'a [String],
    /// What the base's record remembers.
    pub remembered: &'a [String],
    /// Where something is mounted now that its fstab does not name.
    pub mounted: &'a [String],
    /// What is the host's anyway, without leading slashes.
    pub host_paths: &'a [Vec<u8>],
    /// What the base has at a path.
    pub found: &'a dyn Fn(&str) -> Found,
    /// Whether the base's image has something at a path that is no directory.
    pub was_other: &'a dyn Fn(&str) -> bool,
    /// See [`Persistent::commands`].
    pub commands: &'a dyn Fn(&str) -> Vec<String>,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What the image declares, and what is kept beside; sorted.
    pub paths: Vec<Persistent>,
    /// What else is the host's in this update, without leading slashes.
    pub host_paths: Vec<Vec<u8>>,
    /// What the new snapshot's record is to remember.
    pub remember: Vec<String>,
    /// Where something is mounted now that fstab does not name.
    pub mounted: Vec<Vec<u8>>,
}
/// Decides about each path.
pub fn decide(sides: &Sides) -> Result<Decision, PersistentError> {
    let mut decision = Decision::default();
    for path in sides.declared {
        let (state, apart) = match (is_hosts(sides, path), (sides.found)(path)) {
            (true, _) => (State::Host, false),
            (false, Found::Nothing | Found::Empty) => (State::Empty, true),
            (false, Found::Holds) => (State::InSnapshot, true),
            // The image's own, which it replaces by the directory.
            (false, Found::Other { at, .. }) if (sides.was_other)(&at) => (State::Empty, false),
            (false, Found::Other { at, kind }) => {
                return Err(PersistentError::NotOnHost { path: path.clone(), at, found: kind });
            }
        };
        decision.add(sides, path, true, state, apart);
    }
    for path in sides.remembered {
        let within = sides.declared.iter().any(|declared| is_within(path.as_bytes(), declared.as_bytes()));
        if !within && !is_hosts(sides, path) && (sides.found)(path) == Found::Holds {
            decision.add(sides, path, false, State::InSnapshot, true);
        }
    }
    for path in sides.mounted {
        decision.host_paths.push(path.clone().into_bytes());
        decision.mounted.push(path.clone().into_bytes());
        decision.remember.push(path.clone());
    }
    decision.paths.sort_by(|a, b| a.path.cmp(&b.path));
    decision.remember.sort();
    decision.remember.dedup();
    Ok(decision)
}

/// Whether the path is the host's anyway.
fn is_hosts(sides: &Sides, path: &str) -> bool {
    let mounted = sides.mounted.iter().map(String::as_bytes);
    let mut all = sides.host_paths.iter().map(Vec::as_slice).chain(mounted);
    all.any(|host| is_within(path.as_bytes(), host))
}
impl Decision {
    fn add(&mut self, sides: &Sides, path: &str, declared: bool, state: State, apart: bool) {
        if apart {
            self.host_paths.push(path.as_bytes().to_vec());
        }
        self.remember.push(path.to_owned());
        let commands = if state == State::Host { Vec::new() } else { (sides.commands)(path) };
        self.paths.push(Persistent { path: path.to_owned(), declared, state, commands });
    }
}

impl Persistent {
    /// What the administrator should know.
    pub fn warning(&self) -> Option<String> {
        let Persistent { path, declared, state, .. } = self;
        let what = match (state, declared) {
            (State::Host, _) => return None,
            (State::Empty, _) => format!(
                "/{path} is persistent in the image, but nothing is mounted there: what is written there lies in the snapshot, and a rollback goes back"
            ),
            (State::InSnapshot, true) => format!(
                "/{path} is persistent in the image, but nothing is mounted there: what it holds lies in the snapshot and was carried over; what changes there \
                 until the next boot stays behind, and a rollback goes back"
            ),
            (State::InSnapshot, false) => format!(
                "/{path} was persistent in an earlier image and is not in this one; what it holds lies in the snapshot and was carried over"
            ),
        };
        Some(format!("{what}; give it a subvolume (docs/guide/var.md)"))
    }
}
