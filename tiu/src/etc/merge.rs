//! The decision: what becomes of each path of `/etc`, from what the base's image, the host and the new image have there. Data in, data
//! out; nothing is touched here, and whoever carries the decision out decides nothing more.
//!
//! The rule, per path and over content, type, mode, owner and attributes alike:
//!
//! ```text
//! host = new image          nothing to do
//! host = base's default     the image's version; if the image dropped it, it goes
//! new image = base's        the host's version; if the administrator removed it, it stays away
//! all three differ          the host's version, and a conflict: the image's is kept beside
//! ```
//!
//! Then what hangs together: nothing can lie in what is no directory. A directory that the image dropped stays as long as something of the
//! administrator's lies in it; the image's files do not come where the administrator has no directory any more; and where the image
//! has something else in place of a directory that the administrator left as it was but put something in, there is no right answer: that is
//! a [`Clash`], and nothing is merged.

use super::lists::Lists;
use super::state::{Inode, InodeFacts, States, same};
use crate::accounts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tiu_bundle::index::Kind;
use tiu_extract::engine::Shown;

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

/// What the administrator decided before.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Conflicts of earlier updates, resolved or not.
    pub earlier: BTreeSet<Vec<u8>>,
    /// Paths that stay the host's although the image's version has this fingerprint.
    pub kept: BTreeMap<Vec<u8>, String>,
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

/// Decides. Of `lists`, the first that names a path counts; the host's is the first.
pub fn merge(sides: &Sides, lists: &[Lists], settled: &Settled) -> Merge {
    let all: BTreeSet<&Vec<u8>> = [sides.base, Some(sides.host), Some(sides.image)]
        .into_iter()
        .flatten()
        .flat_map(|side| side.keys())
        .collect();
    let decide = |path: &Vec<u8>| one(path, sides, lists, settled);
    let mut decisions: Vec<Decision> = all.into_iter().map(decide).collect();
    let clashes = Hanging { sides, settled, decisions: &mut decisions }.settle();
    Merge { decisions, clashes }
}

fn one(path: &[u8], sides: &Sides, lists: &[Lists], settled: &Settled) -> Decision {
    let (host, image) = (sides.host.get(path), sides.image.get(path));
    let base = sides.base.map(|base| base.get(path));
    let image_is_news = !same(base.flatten(), image);
    let accounts = accounts::File::at(path).is_some() && (host.is_some() || image.is_some());
    let listed = match accounts {
        // No list makes somebody else's accounts the host's; the host itself may want no others.
        true => lists.first().and_then(|host| host.side(path)).filter(|side| *side == Side::Host),
        false => lists.iter().find_map(|lists| lists.side(path)),
    };
    let (side, reason) = if host.is_some_and(|host| host.host) {
        (Side::Host, Reason::Mount)
    } else if listed == Some(Side::Image) {
        (Side::Image, Reason::AlwaysImage)
    } else if host.is_some() && listed == Some(Side::Host) {
        (Side::Host, Reason::AlwaysHost)
    } else if accounts {
        // Where the host has none, the merged entries are written into the image's.
        (if host.is_some() { Side::Host } else { Side::Image }, Reason::ByEntry)
    } else {
        match base {
            None if same(host, image) => (Side::Image, Reason::Unchanged),
            Some(_) if same(host, image) && image_is_news => (Side::Image, Reason::ChangedAlike),
            Some(base) if same(base, host) && image_is_news => (Side::Image, Reason::ImageChanged),
            Some(base) if same(base, host) => (Side::Image, Reason::Unchanged),
            Some(_) if image_is_news => (Side::Host, Reason::BothChanged),
            Some(_) if settled.earlier.contains(path) => (Side::Host, Reason::Unresolved),
            Some(_) => (Side::Host, Reason::AdminChanged),
            None if host.is_none() => (Side::Image, Reason::ImageChanged),
            None => (Side::Host, Reason::FirstUpdate),
        }
    };
    let conflict = match reason {
        Reason::BothChanged | Reason::Unresolved => true,
        Reason::FirstUpdate => image.is_some(),
        _ => false,
    };
    let conflict = conflict && !is_settled(path, image, settled);
    Decision { path: path.to_vec(), side, reason, conflict }
}

/// Whether the administrator said that the host's version stays, whatever just this version of the image is.
pub fn is_settled(path: &[u8], image: Option<&Inode>, settled: &Settled) -> bool {
    let fingerprint = || InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
    settled.kept.get(path).is_some_and(|kept| *kept == fingerprint())
}

/// Settles what hangs together: a path and the directories that it lies in.
struct Hanging<'a> {
    sides: &'a Sides<'a>,
    settled: &'a Settled,
    /// Sorted by path.
    decisions: &'a mut [Decision],
}

impl Hanging<'_> {
    fn settle(mut self) -> Vec<Clash> {
        let mut clashes: BTreeMap<Vec<u8>, Clash> = BTreeMap::new();
        self.hold_directories(&mut clashes);
        self.leave_out(&mut clashes);
        clashes.into_values().collect()
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        self.decisions.binary_search_by(|decision| decision.path.as_slice().cmp(path)).ok()
    }

    fn decision(&self, path: &[u8]) -> Option<&Decision> {
        self.decisions.get(self.find(path)?)
    }

    /// What will be at a decision's path.
    fn outcome(&self, decision: &Decision) -> Option<&Inode> {
        match decision.side {
            Side::Image => self.sides.image.get(&decision.path),
            Side::Host => self.sides.host.get(&decision.path),
        }
    }

    /// From below: directories that the image dropped stay for what lies in them.
    fn hold_directories(&mut self, clashes: &mut BTreeMap<Vec<u8>, Clash>) {
        for i in 0..self.decisions.len() {
            let Some(decision) = self.decisions.get(i) else { continue };
            if decision.side == Side::Image || self.outcome(decision).is_none() {
                continue;
            }
            let held = decision.path.clone();
            let mut at = parent(&held);
            while let Some(path) = at {
                let Some(j) = self.find(path) else { break };
                let Some(above) = self.decisions.get(j).filter(|above| above.side == Side::Image) else {
                    break;
                };
                match self.outcome(above).map(|inode| inode.kind) {
                    Some(Kind::Dir) => break,
                    Some(image) => {
                        clash(clashes, path, image, &held);
                        break;
                    }
                    None => {
                        if let Some(above) = self.decisions.get_mut(j) {
                            *above =
                                Decision { side: Side::Host, reason: Reason::HoldsAdmins, ..above.clone() };
                        }
                    }
                }
                at = parent(path);
            }
        }
    }

    /// From above: what the image has does not come where the host has no directory for it.
    fn leave_out(&mut self, clashes: &mut BTreeMap<Vec<u8>, Clash>) {
        for i in 0..self.decisions.len() {
            let Some(decision) = self.decisions.get(i) else { continue };
            if decision.side == Side::Host || self.outcome(decision).is_none() {
                continue;
            }
            let Some(above) = parent(&decision.path).and_then(|path| self.decision(path)) else { continue };
            if self.outcome(above).is_some_and(|inode| inode.kind == Kind::Dir && !inode.host) {
                continue;
            }
            if decision.reason == Reason::AlwaysImage {
                let host = self.outcome(above).map(|inode| inode.kind);
                let clash =
                    Clash::NoDirectory { path: decision.path.clone(), directory: above.path.clone(), host };
                clashes.insert(decision.path.clone(), clash);
                continue;
            }
            let image = self.sides.image.get(&decision.path);
            let conflict =
                !self.below_mount(&decision.path) && !is_settled(&decision.path, image, self.settled);
            if let Some(decision) = self.decisions.get_mut(i) {
                *decision =
                    Decision { side: Side::Host, reason: Reason::NoDirectory, conflict, ..decision.clone() };
            }
        }
    }

    fn below_mount(&self, path: &[u8]) -> bool {
        let is_mount = |path: &[u8]| self.sides.host.get(path).is_some_and(|inode| inode.host);
        std::iter::successors(parent(path), |path| parent(path)).any(is_mount)
    }
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.get(..path.iter().rposition(|c| *c == b'/')?)
}

fn clash(clashes: &mut BTreeMap<Vec<u8>, Clash>, path: &[u8], image: Kind, held: &[u8]) {
    match clashes.get_mut(path) {
        Some(Clash::Directory { more, .. }) => *more += 1,
        _ => {
            let clash = Clash::Directory { path: path.to_vec(), image, held: held.to_vec(), more: 0 };
            clashes.insert(path.to_vec(), clash);
        }
    }
}
