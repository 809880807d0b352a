//! Chooses the entries of the image, and sorts them.

use super::error::PlanError;
use super::model::{ImagePlan, Item, ItemContent, PlanInput};
use crate::rules::{LeftOutReason, Verdict, factory_path};
use crate::tree::{ScanError, SourceNode};
use tiu_bundle::index::{Kind, MAX_ID, MAX_PATH, Mtime, TIMES, check_acl};
use tiu_system::path::TreePath;

impl ImagePlan {
    /// Keeps, moves or leaves out each of `nodes`.
    pub(super) fn choose(&mut self, nodes: Vec<SourceNode>, input: &PlanInput) -> Result<(), PlanError> {
        let mut used = vec![false; input.rules.exclude.len()];
        for mut node in nodes {
            let path = self.tree.names.get(node.path);
            let content = match node.kind {
                Kind::File => ItemContent::Tree(node.path),
                _ => ItemContent::None,
            };
            // The scan adds paths of the tree only.
            let tree_path = TreePath::new(path).unwrap_or_default();
            let verdict = input.rules.verdict(tree_path);
            let kept = matches!(verdict, Verdict::Keep | Verdict::Factory);
            // A link or an empty file says nothing about a host.
            let identity = kept && node.kind == Kind::File && node.size > 0;
            let verdict = match verdict {
                _ if identity && input.rules.is_identity(tree_path) => {
                    Verdict::LeaveOut(LeftOutReason::Identity)
                }
                other => other,
            };
            match verdict {
                Verdict::Keep => {}
                Verdict::Factory => {
                    let moved = factory_path(tree_path);
                    node.path = self.tree.names.add(moved.as_bytes()).ok_or(ScanError::TooManyNames)?;
                }
                Verdict::LeaveOut(reason) => {
                    if let LeftOutReason::Excluded(i) = reason
                        && let Some(used) = used.get_mut(i)
                    {
                        *used = true;
                    }
                    // Directories alone are no loss.
                    if node.kind != Kind::Dir || matches!(reason, LeftOutReason::Excluded(_)) {
                        self.left_out.entry(reason).or_default().add(path, node.size);
                    }
                    continue;
                }
            }
            if node.mtime.sec >= input.newest {
                node.mtime = Mtime { sec: input.newest, nsec: 0 };
            }
            self.check_values(&node)?;
            self.items.push(Item { node, content, nlink: 1, link_to: None });
        }
        self.unused_patterns = (0..used.len()).filter(|i| used.get(*i) == Some(&false)).collect();
        Ok(())
    }

    /// Sorts; where `/var` and the tree's own defaults have the same path, `/var`'s stays.
    pub(super) fn order(&mut self) -> Result<(), PlanError> {
        let names = &self.tree.names;
        let path = |item: &Item| names.get(item.node.path);
        // Content distinguishes a moved file from an older one; directories do not differ in what
        // matters.
        let moved =
            |item: &Item| matches!(item.content, ItemContent::Tree(source) if source != item.node.path);
        self.items.sort_by(|a, b| path(a).cmp(path(b)).then_with(|| moved(b).cmp(&moved(a))));
        self.items.dedup_by(|later, first| path(later) == path(first));
        match self.items.iter().find(|item| path(item).len() + 1 > MAX_PATH) {
            Some(item) => Err(PlanError::PathTooLong { path: path(item).to_vec() }),
            None => Ok(()),
        }
    }

    /// Checks that filesystems can hold what the index says of `node`.
    fn check_values(&self, node: &SourceNode) -> Result<(), PlanError> {
        let path = || self.tree.names.get(node.path).to_vec();
        if !TIMES.contains(&node.mtime.sec) {
            return Err(PlanError::Time { path: path(), found: node.mtime.sec });
        }
        for (name, value) in self.tree.xattrs.get(node.xattrs) {
            check_acl(name, value).map_err(|problem| PlanError::Acl { path: path(), problem })?;
        }
        for (what, found) in [("owner", node.uid), ("group", node.gid)] {
            if found > MAX_ID {
                return Err(PlanError::Owner { path: path(), what, found });
            }
        }
        Ok(())
    }
}
