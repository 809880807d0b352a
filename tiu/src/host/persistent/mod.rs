//! Directories beside `/var` whose content is the host's because an image says so, or because something is mounted there now.
//!
//! An image declares them in [`IMAGE_PATH`]. Where the host has something mounted, or says itself that the path is its own, there is
//! nothing to do. Where not, the directory lies in the snapshot: an update makes it if it is missing, and otherwise leaves it alone with all
//! that it holds, like any path of the host. Nothing is lost by that, but a rollback goes back there, too; so it is told how to mount a
//! subvolume. What was persistent once and holds something stays so, even if a later image does not declare it any more.
//!
//! [`decide`] is a function of what others have looked up.

pub mod commands;
pub mod look;

use crate::etc::lists::{IMAGE_PATH, ListsError, read_policy};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::persistent::{self as list, PersistentError as ListError};
use tiu_system::Hint;

/// Why an image's persistent paths, or what the host has there, do not allow an update.
#[derive(Debug, thiserror::Error)]
pub enum PersistentError {
    /// See [`ListsError`].
    #[error(transparent)]
    Policy(#[from] ListsError),
    /// The image's list cannot be used.
    #[error("/{IMAGE_PATH} of the image: persistent: {0}")]
    List(ListError),
    /// The image has no such directory.
    #[error(
        "/{IMAGE_PATH} of the image: persistent: found \"/{path}\", which is {found} in the image, expected a directory"
    )]
    NotInImage {
        /// Without a leading slash.
        path: String,
        /// What it is.
        found: String,
    },
    /// The host has something else there.
    #[error(
        "/{path} is persistent in the image, and on the host /{at} is a {found}, expected a directory or nothing"
    )]
    NotOnHost {
        /// Without a leading slash.
        path: String,
        /// Itself, or a directory that it lies in.
        at: String,
        /// What it is.
        found: Kind,
    },
    /// A subvolume in the snapshot that is mounted nowhere else: a copy of the snapshot has an empty directory there.
    #[error("/{} of the host is a subvolume inside the snapshot, and what it holds would not be in the new one", path.display())]
    Nested {
        /// Without a leading slash.
        path: PathBuf,
    },
}

impl Hint for PersistentError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PersistentError::Policy(e) => return e.hint(),
            PersistentError::List(ListError::TooMany { .. }) | PersistentError::NotInImage { .. } => {
                "ask the image's maker to correct `persistent` of its build recipe".into()
            }
            PersistentError::List(e) => {
                let why = e.hint().unwrap_or_default();
                format!("ask the image's maker to correct `persistent` of its build recipe: {why}")
            }
            PersistentError::NotOnHost { at, .. } => {
                format!("move it away; or name /{at} under host-paths in tiu.yaml, and it stays as it is")
            }
            PersistentError::Nested { path } => format!(
                "move what it holds to a subvolume outside of the snapshots that fstab mounts at /{}, then remove the one inside (docs/guide/var.md)",
                path.display()
            ),
        })
    }
}

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

/// The persistent paths that an image's [`IMAGE_PATH`] declares, without leading slashes; each is a directory in `index`.
pub fn declared(text: &str, index: &Index) -> Result<Vec<String>, PersistentError> {
    #[derive(Default, Deserialize)]
    struct File {
        #[serde(default)]
        persistent: Vec<String>,
    }
    let File { persistent } = read_policy(text)?;
    let paths = list::check(&persistent).map_err(PersistentError::List)?;
    for path in &paths {
        let found = index.find(path.as_bytes()).map(|i| index.entry(i).kind);
        if found != Some(Kind::Dir) {
            let found = found.map_or("missing".to_owned(), |kind| format!("a {kind}"));
            return Err(PersistentError::NotInImage { path: path.clone(), found });
        }
    }
    Ok(paths)
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
        let within = sides.declared.iter().any(|declared| holds(declared.as_bytes(), path.as_bytes()));
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
    all.any(|host| holds(host, path.as_bytes()))
}

/// Whether `path` is `directory` or lies in it.
pub(crate) fn holds(directory: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
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

#[cfg(test)]
mod tests;
