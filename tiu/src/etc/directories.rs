//! Settles, as a part of the merge, the directories that each path is in.

use super::decision::{Clash, Decision, DecisionReason, EtcSides, Side};
use super::settled::{Settled, is_settled};
use super::state::Inode;
use std::collections::BTreeMap;
use tiu_bundle::index::Kind;
use tiu_system::path::{TreePath, TreePathBuf};

/// Decisions whose directories are to be settled.
pub(super) struct Directories<'a> {
    pub sides: &'a EtcSides<'a>,
    pub settled: &'a Settled,
    /// Sorted by path.
    pub decisions: &'a mut [Decision],
}

impl Directories<'_> {
    pub fn settle(mut self) -> Vec<Clash> {
        let mut clashes: BTreeMap<TreePathBuf, Clash> = BTreeMap::new();
        self.hold_directories(&mut clashes);
        self.leave_out(&mut clashes);
        clashes.into_values().collect()
    }

    fn find(&self, path: &TreePath) -> Option<usize> {
        self.decisions.binary_search_by(|decision| (*decision.path).cmp(path)).ok()
    }

    fn decision(&self, path: &TreePath) -> Option<&Decision> {
        self.decisions.get(self.find(path)?)
    }

    /// Returns the inode that will be at a decision's path.
    fn outcome(&self, decision: &Decision) -> Option<&Inode> {
        match decision.side {
            Side::Image => self.sides.image.get(&decision.path),
            Side::Host => self.sides.host.get(&decision.path),
        }
    }

    /// From below: a directory that the image dropped stays for what it contains.
    fn hold_directories(&mut self, clashes: &mut BTreeMap<TreePathBuf, Clash>) {
        for i in 0..self.decisions.len() {
            let Some(decision) = self.decisions.get(i) else { continue };
            if decision.side == Side::Image || self.outcome(decision).is_none() {
                continue;
            }
            let held = decision.path.clone();
            let mut at = held.parent();
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
                            *above = Decision {
                                side: Side::Host,
                                reason: DecisionReason::HoldsAdmins,
                                ..above.clone()
                            };
                        }
                    }
                }
                at = path.parent();
            }
        }
    }

    /// From above: a path of the image is left out if the host has no directory for it.
    fn leave_out(&mut self, clashes: &mut BTreeMap<TreePathBuf, Clash>) {
        for i in 0..self.decisions.len() {
            let Some(decision) = self.decisions.get(i) else { continue };
            if decision.side == Side::Host || self.outcome(decision).is_none() {
                continue;
            }
            let Some(above) = decision.path.parent().and_then(|path| self.decision(path)) else { continue };
            if self.outcome(above).is_some_and(|inode| inode.kind == Kind::Dir && !inode.host) {
                continue;
            }
            if decision.reason == DecisionReason::AlwaysImage {
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
                *decision = Decision {
                    side: Side::Host,
                    reason: DecisionReason::NoDirectory,
                    conflict,
                    ..decision.clone()
                };
            }
        }
    }

    fn below_mount(&self, path: &TreePath) -> bool {
        let is_mount = |path: &TreePath| self.sides.host.get(path).is_some_and(|inode| inode.host);
        path.ancestors().skip(1).any(is_mount)
    }
}

fn clash(clashes: &mut BTreeMap<TreePathBuf, Clash>, path: &TreePath, image: Kind, held: &TreePath) {
    match clashes.get_mut(path) {
        Some(Clash::Directory { more, .. }) => *more += 1,
        _ => {
            let clash = Clash::Directory { path: path.to_owned(), image, held: held.to_owned(), more: 0 };
            clashes.insert(path.to_owned(), clash);
        }
    }
}
