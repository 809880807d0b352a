//! Decides what becomes of each path of `/etc`, from what the base's image, the host and the new
//! image have there. This is a function of data that touches nothing; the code that carries the
//! decision out decides nothing more.
//!
//! The rule, per path and over content, type, mode, owner and attributes alike:
//!
//! ```text
//! host = new image          nothing to do
//! host = base's default     the image's version; if the image dropped it, it is removed
//! new image = base's        the host's version; if the administrator removed it, it stays away
//! all three differ          the host's version, and a conflict: the image's is kept next to it
//! ```
//!
//! Then directories are settled, because a path needs a directory to be in. A directory that the
//! image dropped stays as long as it contains something of the administrator's. Files of the image
//! are left out where the administrator no longer has their directory. If the image has something
//! else in place of a directory that the administrator did not change but put something in, there
//! is no right answer: this is a [`Clash`](super::decision::Clash), and nothing is merged.
use super::decision::{Decision, DecisionReason, EtcSides, Merge, Side};
use super::directories::Directories;
use super::lists::Lists;
use super::settled::{Settled, is_settled};
use super::state::same;
use crate::accounts;
use std::collections::BTreeSet;
use tiu_system::path::{TreePath, TreePathBuf};

/// Decides about all paths. Of `lists`, the first that names a path counts; the host's list is the
/// first.
pub fn merge(sides: &EtcSides, lists: &[Lists], settled: &Settled) -> Merge {
    let all: BTreeSet<&TreePathBuf> = [sides.base, Some(sides.host), Some(sides.image)]
        .into_iter()
        .flatten()
        .flat_map(|side| side.keys())
        .collect();
    let decide = |path: &TreePathBuf| decide_path(path, sides, lists, settled);
    let mut decisions: Vec<Decision> = all.into_iter().map(decide).collect();
    let clashes = Directories { sides, settled, decisions: &mut decisions }.settle();
    Merge { decisions, clashes }
}

fn decide_path(path: &TreePath, sides: &EtcSides, lists: &[Lists], settled: &Settled) -> Decision {
    let (host, image) = (sides.host.get(path), sides.image.get(path));
    let base = sides.base.map(|base| base.get(path));
    let image_is_news = !same(base.flatten(), image);
    let accounts = accounts::AccountFile::from_path(path).is_some() && (host.is_some() || image.is_some());
    let listed = if accounts {
        // Only the host's own list can exclude the accounts of others.
        lists.first().and_then(|host| host.side(path)).filter(|side| *side == Side::Host)
    } else {
        lists.iter().find_map(|lists| lists.side(path))
    };
    let (side, reason) = if host.is_some_and(|host| host.host) {
        (Side::Host, DecisionReason::Mount)
    } else if listed == Some(Side::Image) {
        (Side::Image, DecisionReason::AlwaysImage)
    } else if host.is_some() && listed == Some(Side::Host) {
        (Side::Host, DecisionReason::AlwaysHost)
    } else if accounts {
        // If the host has no such file, the merged entries are written into the image's.
        (if host.is_some() { Side::Host } else { Side::Image }, DecisionReason::ByEntry)
    } else {
        match base {
            None if same(host, image) => (Side::Image, DecisionReason::Unchanged),
            Some(_) if same(host, image) && image_is_news => (Side::Image, DecisionReason::ChangedAlike),
            Some(base) if same(base, host) && image_is_news => (Side::Image, DecisionReason::ImageChanged),
            Some(base) if same(base, host) => (Side::Image, DecisionReason::Unchanged),
            Some(_) if image_is_news => (Side::Host, DecisionReason::BothChanged),
            Some(_) if settled.earlier.contains(path) => (Side::Host, DecisionReason::Unresolved),
            Some(_) => (Side::Host, DecisionReason::AdminChanged),
            None if host.is_none() => (Side::Image, DecisionReason::ImageChanged),
            None => (Side::Host, DecisionReason::FirstUpdate),
        }
    };
    let conflict = match reason {
        DecisionReason::BothChanged | DecisionReason::Unresolved => true,
        DecisionReason::FirstUpdate => image.is_some(),
        _ => false,
    };
    let conflict = conflict && !is_settled(path, image, settled);
    Decision { path: path.to_owned(), side, reason, conflict }
}
