//! What the merge decides about each path, and the sides that it decides on.

use super::state::States;
use serde::{Deserialize, Serialize};
use std::fmt;
use tiu_bundle::index::Kind;
use tiu_extract::Shown;

/// Whose version a path gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The new image's; nothing, if it has none.
    Image,
    /// The host's; nothing, if it has none.
    Host,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Nobody changed it.
    Unchanged,
    /// Both changed it alike.
    ChangedAlike,
    /// Only the image changed it.
    ImageChanged,
    /// Only the administrator changed it.
    AdminChanged,
    /// An earlier conflict, which the administrator has not resolved; the image did not change it again.
    Unresolved,
    /// Both changed it, each in its own way.
    BothChanged,
    /// The base was made from no image, and the host differs from the new one: who changed it is not known.
    FirstUpdate,
    /// The image dropped the directory, but something of the administrator's lies in it.
    HoldsAdmins,
    /// The image has it in what is no directory on the host any more.
    NoDirectory,
    /// The configuration or the image's lists say that it is always the image's.
    AlwaysImage,
    /// The configuration or the image's lists say that it is always the host's.
    AlwaysHost,
    /// A file of users or groups, merged by entry.
    ByEntry,
    /// Something is mounted there, or a nested subvolume.
    Mount,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Unchanged => "nobody changed it",
            Reason::ChangedAlike => "both changed it alike",
            Reason::ImageChanged => "only the image changed it",
            Reason::AdminChanged => "only the administrator changed it",
            Reason::Unresolved => "a conflict of an earlier update",
            Reason::BothChanged => "both changed it",
            Reason::FirstUpdate => "the host had it before the first image",
            Reason::HoldsAdmins => "the image dropped it, but something of the administrator's is in it",
            Reason::NoDirectory => "the host has no directory for it",
            Reason::AlwaysImage => "always the image's",
            Reason::AlwaysHost => "always the host's",
            Reason::ByEntry => "accounts are merged by entry",
            Reason::Mount => "something is mounted there",
        })
    }
}

/// What becomes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Path, `etc` or `etc/...`.
    pub path: Vec<u8>,
    /// Whose version it gets.
    pub side: Side,
    /// Why.
    pub reason: Reason,
    /// Whether the administrator should look: the image has another version.
    pub conflict: bool,
}

/// Something that cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// The host has a directory there, in which something must stay, and the image has no directory.
    Directory {
        /// The directory.
        path: Vec<u8>,
        /// What the image has there.
        image: Kind,
        /// What the host has in it that must stay, the first in path order.
        held: Vec<u8>,
        /// How many more.
        more: usize,
    },
    /// What is always the image's lies in a directory that the host does not have.
    NoDirectory {
        /// What is always the image's.
        path: Vec<u8>,
        /// The image's directory.
        directory: Vec<u8>,
        /// What the host has there.
        host: Option<Kind>,
    },
}

impl Clash {
    /// The path at which the sides cannot be brought together.
    pub fn path(&self) -> &[u8] {
        match self {
            Clash::Directory { path, .. } | Clash::NoDirectory { path, .. } => path,
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clash::Directory { path, image, held, more } => {
                write!(
                    f,
                    "/{}: the image has a {image} there, the host a directory in which /{}",
                    Shown(path),
                    Shown(held)
                )?;
                match more {
                    0 => f.write_str(" is the administrator's"),
                    more => write!(f, " and {more} more are the administrator's"),
                }
            }
            Clash::NoDirectory { path, directory, host } => write!(
                f,
                "/{}: it is always the image's, but on the host /{} is {}",
                Shown(path),
                Shown(directory),
                host.map_or("missing".to_owned(), |kind| format!("a {kind}"))
            ),
        }
    }
}

/// The three sides.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// Defaults of the image that the base was made from; none at the first update of a host.
    pub base: Option<&'a States>,
    /// What the administrator sees.
    pub host: &'a States,
    /// Defaults of the new image.
    pub image: &'a States,
}
/// What becomes of `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// One for each path that any side has, in path order.
    pub decisions: Vec<Decision>,
    /// What cannot be merged. Nothing may be carried out unless there is none.
    pub clashes: Vec<Clash>,
}

impl Merge {
    /// The decision about `path`.
    pub fn of(&self, path: &[u8]) -> Option<&Decision> {
        let i = self.decisions.binary_search_by(|decision| decision.path.as_slice().cmp(path)).ok()?;
        self.decisions.get(i)
    }

    /// Conflicts.
    pub fn conflicts(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| decision.conflict)
    }

    /// Whether the host's version of `path` stays.
    pub fn is_hosts(&self, path: &[u8]) -> bool {
        self.of(path).is_some_and(|decision| decision.side == Side::Host)
    }
}
