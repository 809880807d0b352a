//! The paths that a plan removes from the tree or replaces.

use super::steps::Plan;
use crate::engine::join::EntryPlace;
use std::collections::BTreeSet;
use tiu_bundle::index::Kind;
use tiu_system::path::TreePathBuf;

/// Something in the tree that the plan removes, or replaces by the index's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPath {
    /// The path in the tree.
    pub path: TreePathBuf,
    /// True for a directory.
    pub directory: bool,
    /// The size in bytes of a regular file, else 0.
    pub size: u64,
}

impl Plan {
    /// Returns what will be removed or replaced, each path once.
    pub fn lost_paths(&self) -> Vec<LostPath> {
        let steps = &self.steps;
        let files = steps.all_files().map(|file| file.entry);
        let specials = steps.specials.iter().chain(&steps.late_specials).copied();
        let links = steps.links.iter().map(|link| link.entry);
        let replaced =
            files.chain(specials).chain(links).filter_map(|entry| match self.places.get(entry as usize) {
                Some(EntryPlace::Here(node) | EntryPlace::Other(node)) => Some(*node),
                _ => None,
            });
        let instead = steps.dirs.iter().filter_map(|dir| dir.instead_of.map(|(node, _)| node));
        let nodes: BTreeSet<u32> =
            steps.remove.iter().chain(&steps.remove_dirs).copied().chain(replaced).chain(instead).collect();
        let lost = |number: u32| {
            let node = self.tree.nodes.get(number as usize)?;
            let size = if node.kind == Kind::File { node.value } else { 0 };
            Some(LostPath { path: self.tree.tree_path(number), directory: node.kind == Kind::Dir, size })
        };
        nodes.into_iter().filter_map(lost).collect()
    }
}
