//! The plan as data.

use crate::factory;
use crate::rules::{LeftOutReason, PackRules};
use crate::tree::{SourceNode, SourceTree, Span};
use std::collections::{BTreeMap, BTreeSet};
use tiu_bundle::selinux::Unlabelled;

/// The source of an entry's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemContent {
    /// No content, or that of the entry of which this is another name.
    None,
    /// The file of the tree at this path.
    Tree(Span),
    /// Generated file number N of the plan.
    Generated(u32),
}

/// One entry of the image. `node.path` is the path in the image; mtimes are clamped.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Metadata.
    pub node: SourceNode,
    /// Content.
    pub content: ItemContent,
    /// Number of names in the image.
    pub nlink: u32,
    /// Number in [`ImagePlan::items`] of an earlier item, of which this is another name.
    pub link_to: Option<u32>,
}

/// The entries that hosts do not get for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Names that are not directories.
    pub files: u64,
    /// Bytes in regular files.
    pub bytes: u64,
    /// The first few paths in byte order.
    pub first: BTreeSet<Vec<u8>>,
}

impl LeftOut {
    /// Number of paths that are reported.
    const FEW: usize = 3;

    pub(crate) fn add(&mut self, path: &[u8], size: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
        if self.first.len() < Self::FEW || self.first.last().is_some_and(|last| path < last.as_slice()) {
            self.first.insert(path.to_vec());
        }
        if self.first.len() > Self::FEW {
            self.first.pop_last();
        }
    }
}

/// The image, entry by entry.
pub struct ImagePlan {
    /// Entries in the order of their paths' bytes.
    pub items: Vec<Item>,
    /// Paths, targets and extended attributes of the entries.
    pub tree: SourceTree,
    /// Content of generated files.
    pub generated: Vec<Vec<u8>>,
    /// The entries that are not in the image, by reason.
    pub left_out: BTreeMap<LeftOutReason, LeftOut>,
    /// The entries of the image that lie below mount points (relative paths) of its own fstab, and
    /// are hidden on hosts that mount them.
    pub at_mount_points: BTreeMap<Vec<u8>, LeftOut>,
    /// The properties of the defaults of `/var` that hosts do not get.
    pub var_losses: BTreeMap<factory::Loss, factory::LossCount>,
    /// The entries without a label, if the tree has a policy of SELinux.
    pub unlabelled: Option<Unlabelled>,
    /// Numbers of the recipe's patterns that matched nothing.
    pub unused_patterns: Vec<usize>,
    /// Sockets: they are in the index alone, because a tar has none.
    pub sockets: u64,
    /// Bytes of content, of an inode with several names once.
    pub size: u64,
}

impl ImagePlan {
    /// Returns the path of an entry in the image.
    pub fn path(&self, item: &Item) -> &[u8] {
        self.tree.names.get(item.node.path)
    }

    /// Returns the number of the entry at `path`.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        self.items.binary_search_by(|item| self.path(item).cmp(path)).ok()
    }
}

/// The input of [`plan`](super::plan), except the tree.
pub struct PlanInput<'a> {
    /// Rules.
    pub rules: &'a PackRules,
    /// No entry is younger than this (seconds since 1970).
    pub newest: i64,
    /// Owners' names in the image, for the defaults of `/var`.
    pub owners: factory::OwnerNames,
    /// Mount points of the tree's own fstab, as relative paths.
    pub mount_points: Vec<Vec<u8>>,
    /// True if the tree has a policy of SELinux, which is enabled.
    pub selinux: bool,
    /// Text of [`POLICY_PATH`](tiu_bundle::policy::POLICY_PATH), if there is one.
    pub policy: Option<String>,
}
