//! The plan of an image, made of data alone: tree and rules in, an ordered list of entries out.
//!
//! The order is that of the paths' bytes, so a directory comes before its entries, and the first
//! name of an inode carries its metadata. Nothing depends on the order in which a filesystem lists
//! its directories.

mod add;
mod choose;
mod error;
mod facts;
mod model;

pub use error::PlanError;
pub use model::{ImagePlan, Item, ItemContent, LeftOut, PlanInput};

use crate::factory;
use crate::tree::SourceTree;
use std::collections::{BTreeMap, HashMap};
use tiu_bundle::index::Kind;
use tiu_bundle::places::{FACTORY_VAR, INDEX_PATH, STATE_DIR};
use tiu_bundle::policy::POLICY_PATH;

/// Decides what the image of `tree` holds.
pub fn plan(mut tree: SourceTree, input: &PlanInput) -> Result<ImagePlan, PlanError> {
    let mut plan = ImagePlan {
        items: Vec::with_capacity(tree.nodes.len() + 16),
        generated: Vec::new(),
        left_out: BTreeMap::new(),
        at_mount_points: BTreeMap::new(),
        var_losses: BTreeMap::new(),
        unlabelled: None,
        unused_patterns: Vec::new(),
        sockets: 0,
        size: 0,
        tree: SourceTree::default(),
    };
    let nodes = std::mem::take(&mut tree.nodes);
    plan.tree = tree;
    plan.choose(nodes, input)?;
    if input.rules.factory_var {
        plan.order()?;
        let text = factory::tmpfiles(plan.factory_entries(), &input.owners);
        if let Some(text) = text {
            plan.directories(FACTORY_VAR, FACTORY_VAR, input)?;
            plan.generate(factory::TMPFILES_PATH, text, input)?;
        }
    }
    for path in &input.rules.persistent {
        plan.persistent(path, input)?;
    }
    if let Some(policy) = &input.policy {
        plan.generate(POLICY_PATH, policy.clone().into_bytes(), input)?;
    }
    plan.directories(STATE_DIR, INDEX_PATH, input)?;
    plan.order()?;
    plan.check_parents()?;
    plan.links();
    if input.rules.factory_var {
        plan.var_losses = factory::losses(plan.factory_entries());
    }
    plan.at_mount_points = plan.below(&input.mount_points);
    if input.selinux {
        plan.unlabelled = plan.count_unlabelled();
    }
    let inodes = || plan.items.iter().filter(|item| item.link_to.is_none()).map(|item| &item.node);
    plan.size = inodes().map(|node| node.size).fold(0, u64::saturating_add);
    plan.sockets = inodes().filter(|node| node.kind == Kind::Socket).count() as u64;
    Ok(plan)
}

impl ImagePlan {
    /// Checks that everything has its directory.
    fn check_parents(&self) -> Result<(), PlanError> {
        for item in &self.items {
            let path = self.path(item);
            let parent = match path.iter().rposition(|b| *b == b'/') {
                Some(slash) => path.get(..slash).unwrap_or_default(),
                None => &[],
            };
            let found = self.find(parent).and_then(|i| self.items.get(i)).map(|item| item.node.kind);
            match found {
                Some(Kind::Dir) => {}
                // What a directory of the tree is missing in cannot be reached; the root is always
                // there.
                other => {
                    let found = other.unwrap_or(Kind::File);
                    return Err(PlanError::NotADirectory {
                        path: parent.to_vec(),
                        found,
                        child: path.to_vec(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Makes the first name of each inode its entry, and counts its names.
    fn links(&mut self) {
        let mut first: HashMap<u32, (u32, u32)> = HashMap::new();
        for (i, item) in (0u32..).zip(&mut self.items) {
            let Some(inode) = item.node.inode else { continue };
            let (primary, count) = first.entry(inode).or_insert((i, 0));
            *count += 1;
            if *primary != i {
                item.link_to = Some(*primary);
                item.content = ItemContent::None;
            }
        }
        for item in &mut self.items {
            if let Some((_, count)) = item.node.inode.and_then(|inode| first.get(&inode)) {
                item.nlink = *count;
            }
        }
    }
}

#[cfg(test)]
mod tests;
