//! The plan of an image, made of data alone: tree and rules in, an ordered list of entries out.
//!
//! The order is that of the paths' bytes, so a directory comes before its entries, and the first
//! name of an inode carries its metadata. Nothing depends on the order in which a filesystem lists
//! its directories.

use crate::factory;
use crate::rules::{LeftOutReason, PackRules, Verdict, factory_path};
use crate::tree::{ScanError, SourceNode, SourceTree, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tiu_bundle::index::{AclError, Kind, MAX_ID, MAX_PATH, Mtime, TIMES, check_acl};
use tiu_bundle::places::{FACTORY_VAR, INDEX_PATH, STATE_DIR};
use tiu_bundle::policy::POLICY_PATH;
use tiu_bundle::selinux::{self, Unlabelled};
use tiu_system::hints;
use tiu_system::path::TreePath;

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

/// A tree from which no image can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum PlanError {
    /// A directory of the image is something else in the tree.
    #[error("/{}: found a {found}, expected a directory for /{}", crate::shown(path), crate::shown(child))]
    NotADirectory {
        path: Vec<u8>,
        found: Kind,
        /// The entry that needs the directory.
        child: Vec<u8>,
    },
    /// A persistent path of the recipe is not a directory.
    #[error(
        "/{}: found a {found} in the tree, but the recipe declares a persistent directory",
        crate::shown(path)
    )]
    NotPersistent { path: Vec<u8>, found: Kind },
    /// The tree has something where a file of ours must go.
    #[error("/{}: found a {found} in the tree, but tiu-create writes a file there", crate::shown(path))]
    Taken { path: Vec<u8>, found: Kind },
    /// Longer than a path can be.
    #[error("/{}: the path has {} bytes in the image, expected at most {}", crate::shown(path), path.len(), MAX_PATH - 1)]
    PathTooLong { path: Vec<u8> },
    /// A time that filesystems cannot hold.
    #[error(
        "/{}: its modification time is {found} seconds since 1970, expected at least {}",
        crate::shown(path),
        TIMES.start()
    )]
    Time { path: Vec<u8>, found: i64 },
    /// A number that is none.
    #[error("/{}: its {what} is {found}, expected at most {MAX_ID}", crate::shown(path))]
    Owner {
        path: Vec<u8>,
        /// `owner` or `group`.
        what: &'static str,
        found: u32,
    },
    /// An access list that no file on a host can have.
    #[error("/{}: {problem}", crate::shown(path))]
    Acl { path: Vec<u8>, problem: AclError },
    /// More than 4 GiB of names.
    #[error(transparent)]
    Tree(#[from] ScanError),
}

hints! { PlanError {
    forward Tree;
    Time { .. } => "set it to the time at which the file was really changed (`touch`): filesystems of \
                    hosts cannot hold times before 1901-12-13",
    Owner { .. } => "give it to a user and a group (`chown`): this number stands for none",
    Acl { .. } => "correct it (`getfacl -n`, `setfacl`): 4294967295 stands for a user or group that this namespace \
        does not know",
    PathTooLong { .. } => "leave it out with the recipe's `exclude`",
    NotPersistent { .. } => "make it a directory, or remove it from the recipe's `persistent`",
    NotADirectory { .. } | Taken { .. } =>
        "give the root tree of a whole system; if it is one, remove this file when the tree is made",
} }

/// The input of [`plan`], except the tree.
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
    /// Text of [`POLICY_PATH`], if there is one.
    pub policy: Option<String>,
}

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
        // The recipe is UTF-8.
        plan.persistent(path.to_str().unwrap_or_default(), input)?;
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
    /// Returns the path of an entry in the image.
    pub fn path(&self, item: &Item) -> &[u8] {
        self.tree.names.get(item.node.path)
    }

    /// Returns the number of the entry at `path`.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        self.items.binary_search_by(|item| self.path(item).cmp(path)).ok()
    }

    /// Keeps, moves or leaves out each of `nodes`.
    fn choose(&mut self, nodes: Vec<SourceNode>, input: &PlanInput) -> Result<(), PlanError> {
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

    /// Checks that filesystems can hold what the index says of `node`.
    fn check_values(&self, node: &SourceNode) -> Result<(), PlanError> {
        let path = || self.tree.names.get(node.path).to_vec();
        if !TIMES.contains(&node.mtime.sec) {
            return Err(PlanError::Time { path: path(), found: node.mtime.sec });
        }
        for (what, found) in [("owner", node.uid), ("group", node.gid)] {
            if found > MAX_ID {
                return Err(PlanError::Owner { path: path(), what, found });
            }
        }
        for (name, value) in self.tree.xattrs.get(node.xattrs) {
            check_acl(name, value).map_err(|problem| PlanError::Acl { path: path(), problem })?;
        }
        Ok(())
    }

    /// Sorts; where `/var` and the tree's own defaults have the same path, `/var`'s stays.
    fn order(&mut self) -> Result<(), PlanError> {
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

    /// Returns the entries below [`FACTORY_VAR`] in an ordered plan.
    fn factory_entries(&self) -> impl Iterator<Item = factory::VarDefault<'_>> {
        let prefix = [FACTORY_VAR.as_bytes(), b"/"].concat();
        let start = self.items.partition_point(|item| self.path(item) < prefix.as_slice());
        self.items.get(start..).unwrap_or_default().iter().map_while(move |item| {
            let path = self.path(item).strip_prefix(prefix.as_slice())?;
            Some(factory::VarDefault {
                path,
                kind: item.node.kind,
                mode: item.node.mode,
                uid: item.node.uid,
                gid: item.node.gid,
                target: item.node.target.map(|target| self.tree.names.get(target)),
                xattrs: self.tree.xattrs.get(item.node.xattrs),
                linked: item.nlink > 1,
            })
        })
    }

    /// Adds a persistent directory unless it exists.
    fn persistent(&mut self, path: &str, input: &PlanInput) -> Result<(), PlanError> {
        match self.position(path.as_bytes()).and_then(|i| self.items.get(i)).map(|item| item.node.kind) {
            None | Some(Kind::Dir) => self.directories(path, path, input),
            Some(found) => Err(PlanError::NotPersistent { path: path.into(), found }),
        }
    }

    /// Adds a file of ours, with its directories. It takes the place of a file in the tree.
    fn generate(&mut self, path: &str, content: Vec<u8>, input: &PlanInput) -> Result<(), PlanError> {
        if let Some(i) = self.position(path.as_bytes()) {
            let found = self.items.get(i).map_or(Kind::File, |item| item.node.kind);
            if found != Kind::File {
                return Err(PlanError::Taken { path: path.into(), found });
            }
            self.items.swap_remove(i);
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directories(parent, path, input)?;
        }
        let number = self.generated.len() as u32;
        self.add(path, Kind::File, 0o644, content.len() as u64, ItemContent::Generated(number), input)?;
        self.generated.push(content);
        Ok(())
    }

    /// Adds `directory` and those above it as far as they are missing.
    fn directories(&mut self, directory: &str, child: &str, input: &PlanInput) -> Result<(), PlanError> {
        let ends = directory.match_indices('/').map(|(i, _)| i).chain([directory.len()]);
        for end in ends {
            let path = directory.get(..end).unwrap_or_default();
            match self.position(path.as_bytes()).and_then(|i| self.items.get(i)) {
                None => self.add(path, Kind::Dir, 0o755, 0, ItemContent::None, input)?,
                Some(item) if item.node.kind == Kind::Dir => {}
                Some(item) => {
                    let found = item.node.kind;
                    return Err(PlanError::NotADirectory { path: path.into(), found, child: child.into() });
                }
            }
        }
        Ok(())
    }

    /// Finds an entry while the plan is not ordered.
    fn position(&self, path: &[u8]) -> Option<usize> {
        self.items.iter().position(|item| self.path(item) == path)
    }

    fn add(
        &mut self,
        path: &str,
        kind: Kind,
        mode: u16,
        size: u64,
        content: ItemContent,
        input: &PlanInput,
    ) -> Result<(), PlanError> {
        let xattrs = self.inherited(path);
        let path = self.tree.names.add(path.as_bytes()).ok_or(ScanError::TooManyNames)?;
        let mtime = Mtime { sec: input.newest, nsec: 0 };
        let node = SourceNode {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            mtime,
            xattrs,
            target: None,
            inode: None,
        };
        self.items.push(Item { node, content, nlink: 1, link_to: None });
        Ok(())
    }

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

    /// Returns the entries that need a label and have none.
    fn count_unlabelled(&self) -> Option<Unlabelled> {
        let inodes = self.items.iter().filter(|item| item.link_to.is_none());
        let entries = inodes.filter_map(|item| {
            // The index refuses other paths.
            Some((TreePath::new(self.path(item)).ok()?, self.label(item).is_some()))
        });
        selinux::unlabelled(entries)
    }

    /// Returns the SELinux label of an entry.
    fn label(&self, item: &Item) -> Option<&[u8]> {
        let xattrs = self.tree.xattrs.get(item.node.xattrs);
        selinux::label(xattrs.iter().map(|(name, value)| (&name[..], &value[..])))
    }

    /// Returns the attributes of what is added to the directory of `path`: its label alone, as
    /// SELinux labels a new file.
    fn inherited(&mut self, path: &str) -> u32 {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let directory = self.position(parent.as_bytes()).and_then(|i| self.items.get(i));
        match directory.and_then(|item| self.label(item)).map(<[u8]>::to_vec) {
            Some(label) => self.tree.xattrs.add(vec![(selinux::LABEL.into(), label)]),
            None => 0,
        }
    }

    /// Returns what is not a directory below each of `directories`. Of two that hold it, the outer
    /// one counts.
    fn below(&self, directories: &[Vec<u8>]) -> BTreeMap<Vec<u8>, LeftOut> {
        let mut sorted = directories.to_vec();
        sorted.sort();
        let mut all: BTreeMap<Vec<u8>, LeftOut> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.node.kind != Kind::Dir) {
            let path = self.path(item);
            let holds =
                |dir: &&Vec<u8>| path.strip_prefix(dir.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
            if let Some(directory) = sorted.iter().find(holds) {
                all.entry(directory.clone()).or_default().add(path, item.node.size);
            }
        }
        all
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
