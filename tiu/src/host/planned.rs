//! A snapshot on paper: the result of a change, before anything is written.

use super::lookup::Paper;
use super::open::Host;
use crate::etc::Side;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tiu_bundle::index::Index;
use tiu_bundle::places::PRISTINE_ETC_PATH;
use tiu_extract::Image;
use tiu_system::mountinfo;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Layer, Node, NodeLookup, Tree, TreeError};

/// A snapshot on paper.
pub struct PlannedTree<'a> {
    /// The snapshot that is changed.
    tree: &'a Tree,
    paper: Paper<'a>,
    image: &'a dyn Image,
    side: Box<dyn Fn(&TreePath) -> Side + 'a>,
}

impl<'a> PlannedTree<'a> {
    /// Returns the future of `tree`: `side` says which paths it gets from `image`, whose index is
    /// `index`.
    pub fn new(
        tree: &'a Tree,
        index: &'a Index,
        image: &'a dyn Image,
        side: impl Fn(&TreePath) -> Side + 'a,
    ) -> Self {
        PlannedTree { tree, paper: Paper::complete(index), image, side: Box::new(side) }
    }
}

/// Returns the path in the image that has the content of `path`: the copy of the image's `/etc` is
/// the image's `/etc`.
fn in_image(path: &TreePath) -> TreePathBuf {
    match path.strip_prefix(TreePath::literal(PRISTINE_ETC_PATH)) {
        Some(below) => TreePath::literal("etc").join(below),
        None => path.to_owned(),
    }
}

impl NodeLookup for PlannedTree<'_> {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        match (self.side)(path) {
            Side::Host => self.tree.node(path),
            Side::Image => self.paper.node(&in_image(path)),
        }
    }

    fn names(&self, directory: &TreePath) -> io::Result<Vec<Vec<u8>>> {
        let mut names = self.paper.names(&in_image(directory))?;
        if self.tree.node(directory)? == Some(Node::Directory) {
            names.extend(self.tree.names(directory)?);
        }
        names.sort();
        names.dedup();
        let mut existing = Vec::new();
        for name in names {
            let path = directory.child(&name).map_err(io::Error::other)?;
            if self.node(&path)?.is_some() {
                existing.push(name);
            }
        }
        Ok(existing)
    }
}

impl Layer for PlannedTree<'_> {
    fn open(&self, path: &TreePath) -> io::Result<Box<dyn Read + '_>> {
        match (self.side)(path) {
            Side::Host => self.tree.open(path),
            Side::Image => Ok(self.image.open(&in_image(path)).map_err(io::Error::other)?),
        }
    }

    fn shown(&self, path: &TreePath) -> PathBuf {
        Path::new("/").join(path)
    }
}

impl Host {
    /// Returns the paths below the host's root where something is mounted, and will be again.
    /// `/etc` is the snapshot's own, also where it is mounted onto itself.
    pub fn mounted(&self) -> Result<Vec<TreePathBuf>, TreeError> {
        let text = mountinfo::read().map_err(|source| TreeError { path: mountinfo::PATH.into(), source })?;
        let below = |point: String| {
            let below = Path::new(&point).strip_prefix(self.root()).ok()?;
            let path = TreePathBuf::new(below.as_os_str().as_encoded_bytes()).ok()?;
            let own = path.is_root() || *path == *TreePath::literal("etc");
            (!own).then_some(path)
        };
        Ok(mountinfo::mount_points(&text).filter_map(below).collect())
    }
}
