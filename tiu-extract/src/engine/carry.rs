//! Carries what is the host's from one tree into another.
//!
//! This is for a tree with damaged metadata, which must not be changed, and of which a copy must
//! not be changed either: its successor starts empty, and gets from it only what no image has.

use super::beneath;
use super::error::{EngineError, shown};
use super::execute;
use super::flags::ClearedFlags;
use super::hash::{Caching, HashRequest, Reading};
use super::job::Job;
use super::plan;
use super::rules::{Lookup, Rules};
use super::settle::Settle;
use super::tree::ScannedTree;
use super::unreadable::Part;
use super::walk::{ReadAttributes, Walk};
use crate::image::{Image, ImageError};
use rustix::fs::OFlags;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use tiu_bundle::index::{EntryBuf, Index, IndexWriter, Kind};
use tiu_system::inode_flags;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Unit, Watch};

/// Copies the host's part of the tree `from` into the empty directory `to`: the host paths of
/// `rules` with all that they hold, the kept paths, and the directories on the way. Content is
/// shared where the filesystem can. Returns the inode flags that the copies are to get at the end.
///
/// Fails if a part of it cannot be read. Does not read or carry anything else.
pub fn carry_over(
    from: BorrowedFd,
    to: BorrowedFd,
    rules: &Rules,
    watch: Watch,
) -> Result<Vec<ClearedFlags>, EngineError> {
    let inner = Rules { subvolumes: rules.subvolumes.clone(), ..Rules::default() };
    let everything = &Lookup::new(&inner);
    let attributes = ReadAttributes::Now;
    let settle = Settle::Never;
    let walk = Walk {
        root: from,
        index: None,
        everything: true,
        rules: everything,
        attributes,
        settle,
        scope: None,
        watch,
    };
    let mut tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let parts = HostParts::new(&tree, &Lookup::new(rules));
    let files = (0u32..).zip(&tree.nodes).filter(|(i, node)| parts.is_carried(*i) && node.kind == Kind::File);
    let files = files.filter(|(i, _)| !tree.lacks(*i, Part::Inode));
    let files = files.map(|(node, _)| HashRequest { node, attributes: false }).collect();
    let reading = Reading { root: from, caching: Caching::PageCache, rules: everything, watch };
    reading.run("Reading the host's files", &mut tree, files)?;
    if let Some((node, unreadable)) = tree.all_unreadable().find(|(node, _)| parts.is_carried(*node)) {
        let path = Path::new("/").join(shown(&tree.path(node)));
        return Err(EngineError::Unreadable { path, source: unreadable.error.into() });
    }
    let index = parts.index(&tree)?;
    let seeds = [PathBuf::from(format!("/proc/self/fd/{}", from.as_raw_fd()))];
    let image = TreeImage { root: from };
    let job = Job { index: &index, image: &image, target: to, seeds: &seeds, rules: &inner, watch };
    execute(&job, &plan(&job)?)?;
    parts.flags(&tree, from)
}

/// The nodes that are carried over, and the directories on the way to them.
struct HostParts {
    /// By node.
    carried: Vec<bool>,
    /// By node.
    on_the_way: Vec<bool>,
}

impl HostParts {
    fn new(tree: &ScannedTree, rules: &Lookup) -> Self {
        let mut parts =
            HostParts { carried: vec![false; tree.nodes.len()], on_the_way: vec![false; tree.nodes.len()] };
        // By node: true at and below a host path. Directories have lower numbers than their
        // children.
        let mut inside = vec![false; tree.nodes.len()];
        for (i, node) in (0u32..).zip(&tree.nodes) {
            let path = tree.path(i);
            let within = i != 0 && is(&inside, node.parent);
            set(&mut inside, i, within || rules.is_host(&path));
            set(&mut parts.carried, i, is(&inside, i) || rules.is_kept(&path));
        }
        for (i, node) in (0..tree.nodes.len() as u32).zip(&tree.nodes).rev() {
            if i == 0 || is(&parts.carried, i) || is(&parts.on_the_way, i) {
                set(&mut parts.on_the_way, i, true);
                set(&mut parts.on_the_way, node.parent, true);
            }
        }
        parts
    }

    fn is_carried(&self, node: u32) -> bool {
        is(&self.carried, node)
    }

    /// Describes the nodes as an index.
    fn index(&self, tree: &ScannedTree) -> Result<Index, EngineError> {
        let mut writer = IndexWriter::default();
        // By inode number, the path at which it was first found.
        let mut first_names: HashMap<u64, TreePathBuf> = HashMap::new();
        for (i, node) in (0u32..).zip(&tree.nodes).filter(|(i, _)| is(&self.on_the_way, *i)) {
            let path = tree.tree_path(i);
            let mut entry = entry(tree, i, &path);
            if tree.lacks(i, Part::Inode) {
                // A directory on the way, of which only the name is known.
                entry.mode = 0o755;
            }
            if node.kind != Kind::Dir && node.nlink > 1 {
                entry.nlink = node.nlink;
                match first_names.entry(node.ino) {
                    Slot::Vacant(slot) => drop(slot.insert(path)),
                    Slot::Occupied(first) => {
                        entry.kind = Kind::HardLink;
                        entry.link = Some(Cow::Owned(first.get().clone()));
                    }
                }
            }
            writer.push(entry);
        }
        Index::parse(writer.finish()).map_err(EngineError::Carry)
    }

    /// Returns the flags of the nodes that stop changes.
    fn flags(&self, tree: &ScannedTree, root: BorrowedFd) -> Result<Vec<ClearedFlags>, EngineError> {
        let mut found = Vec::new();
        for (i, node) in (0u32..).zip(&tree.nodes) {
            if self.is_carried(i) && node.locked && matches!(node.kind, Kind::File | Kind::Dir) {
                let path = tree.path(i);
                let flags = beneath::open_quietly(root, &path, OFlags::RDONLY | OFlags::NONBLOCK)
                    .and_then(inode_flags::blocking)
                    .map_err(|e| EngineError::io("read the inode flags of", &path, e))?;
                found.push(ClearedFlags { path, flags });
            }
        }
        Ok(found)
    }
}

fn is(list: &[bool], node: u32) -> bool {
    list.get(node as usize).copied().unwrap_or(false)
}

fn set(list: &mut [bool], node: u32, value: bool) {
    if let Some(slot) = list.get_mut(node as usize) {
        *slot = value;
    }
}

/// Describes node `i`, at `path`, as an inode with one name.
pub(super) fn entry(tree: &ScannedTree, i: u32, path: &TreePath) -> EntryBuf {
    let node = tree.node(i);
    let xattrs = tree.xattrs(i).map_or(&[][..], |xattrs| &xattrs.0);
    let own = |bytes: &[u8]| -> Cow<'static, [u8]> { Cow::Owned(bytes.to_vec()) };
    let target = (node.kind == Kind::Symlink).then(|| own(tree.target(i)));
    EntryBuf {
        path: Cow::Owned(path.to_owned()),
        kind: node.kind,
        mode: node.mode,
        nlink: 1,
        uid: node.uid,
        gid: node.gid,
        rdev: if matches!(node.kind, Kind::CharDev | Kind::BlockDev) { node.value } else { 0 },
        mtime: node.mtime,
        size: match (node.kind, &target) {
            (Kind::File, _) => node.value,
            (_, target) => target.as_ref().map_or(0, |target| target.len() as u64),
        },
        target,
        link: None,
        digest: tree.digest(i),
        xattrs: xattrs.iter().map(|(name, value)| (own(name), own(value))).collect(),
    }
}

/// A tree as a source of content.
struct TreeImage<'a> {
    root: BorrowedFd<'a>,
}

impl Image for TreeImage<'_> {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        let file = beneath::open_quietly(self.root, path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK);
        let failed =
            |e: rustix::io::Errno| ImageError::Read { path: shown(path.as_bytes()), source: e.into() };
        Ok(Box::new(File::from(file.map_err(failed)?)))
    }

    fn position(&self, _: &TreePath) -> u64 {
        0
    }
}
