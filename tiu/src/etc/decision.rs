//! The decision of the merge about each path, and the sides on which it decides.

use super::state::States;
use serde::{Deserialize, Serialize};
use std::fmt;
use tiu_bundle::index::Kind;
use tiu_system::path::{TreePath, TreePathBuf};

/// The side whose version a path gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The new image's version; nothing if it has none.
    Image,
    /// The host's version; nothing if it has none.
    Host,
}

/// The reason of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionReason {
    /// Nobody changed it.
    Unchanged,
    /// Both changed it alike.
    ChangedAlike,
    /// Only the image changed it.
    ImageChanged,
    /// Only the administrator changed it.
    AdminChanged,
    /// An earlier conflict, which the administrator has not resolved; the image did not change it
    /// again.
    Unresolved,
    /// Both changed it, each in another way.
    BothChanged,
    /// The base was not made from an image, and the host differs from the new image: it is not
    /// known who changed it.
    FirstUpdate,
    /// The image dropped the directory, but it contains something of the administrator's.
    HoldsAdmins,
    /// The image has it in a directory that is no longer a directory on the host.
    NoDirectory,
    /// The configuration or the image's lists say that it is always the image's.
    AlwaysImage,
    /// The configuration or the image's lists say that it is always the host's.
    AlwaysHost,
    /// A file of users or groups, merged by entry.
    ByEntry,
    /// A mount point, a subvolume (or the empty directory that a snapshot has for one), or a path
    /// that the configuration gives to the host.
    Mount,
}

impl fmt::Display for DecisionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecisionReason::Unchanged => "nobody changed it",
            DecisionReason::ChangedAlike => "both changed it alike",
            DecisionReason::ImageChanged => "only the image changed it",
            DecisionReason::AdminChanged => "only the administrator changed it",
            DecisionReason::Unresolved => "a conflict of an earlier update",
            DecisionReason::BothChanged => "both changed it",
            DecisionReason::FirstUpdate => "the host had it before the first image",
            DecisionReason::HoldsAdmins => {
                "the image dropped it, but something of the administrator's is in it"
            }
            DecisionReason::NoDirectory => "the host has no directory for it",
            DecisionReason::AlwaysImage => "always the image's",
            DecisionReason::AlwaysHost => "always the host's",
            DecisionReason::ByEntry => "accounts are merged by entry",
            DecisionReason::Mount => "a mount point, a subvolume or a path of the host",
        })
    }
}

/// The decision about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Path, `etc` or `etc/...`.
    pub path: TreePathBuf,
    /// The side whose version it gets.
    pub side: Side,
    /// The reason.
    pub reason: DecisionReason,
    /// True if the administrator should compare: the image has another version.
    pub conflict: bool,
}

/// A part of `/etc` that cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// The host has a directory there in which something must stay, and the image has something
    /// else.
    Directory {
        /// The directory.
        path: TreePathBuf,
        /// The kind of the image's inode there.
        image: Kind,
        /// The first path in it, in path order, that must stay.
        held: TreePathBuf,
        /// The number of further such paths.
        more: usize,
    },
    /// A path that is always the image's is in a directory that the host does not have.
    NoDirectory {
        /// The path.
        path: TreePathBuf,
        /// The image's directory.
        directory: TreePathBuf,
        /// The kind of the host's inode there.
        host: Option<Kind>,
    },
}

impl Clash {
    /// Returns the path at which the sides cannot be merged.
    pub fn path(&self) -> &TreePath {
        match self {
            Clash::Directory { path, .. } | Clash::NoDirectory { path, .. } => path,
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clash::Directory { path, image, held, more } => {
                write!(f, "/{path}: the image has a {image} there, the host a directory in which /{held}")?;
                match more {
                    0 => f.write_str(" is the administrator's"),
                    more => write!(f, " and {more} more are the administrator's"),
                }
            }
            Clash::NoDirectory { path, directory, host } => write!(
                f,
                "/{path}: it is always the image's, but on the host /{directory} is {}",
                host.map_or("missing".to_owned(), |kind| format!("a {kind}"))
            ),
        }
    }
}

/// The three sides of `/etc`.
#[derive(Clone, Copy)]
pub struct EtcSides<'a> {
    /// The defaults of the image that the base was made from; `None` at the first update of a host.
    pub base: Option<&'a States>,
    /// The `/etc` that the administrator sees.
    pub host: &'a States,
    /// The defaults of the new image.
    pub image: &'a States,
}
/// The decision about all of `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// A decision for each path that any side has, in path order.
    pub decisions: Vec<Decision>,
    /// The clashes: paths that cannot be merged. Decisions may be carried out only if this is
    /// empty.
    pub clashes: Vec<Clash>,
}

impl Merge {
    /// Returns the decision about `path`.
    pub fn decision(&self, path: &TreePath) -> Option<&Decision> {
        let i = self.decisions.binary_search_by(|decision| (*decision.path).cmp(path)).ok()?;
        self.decisions.get(i)
    }

    /// Returns the decisions that are conflicts.
    pub fn conflicts(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| decision.conflict)
    }

    /// Returns whether the host's version of `path` stays.
    pub fn is_hosts(&self, path: &TreePath) -> bool {
        self.decision(path).is_some_and(|decision| decision.side == Side::Host)
    }
}
