//! A snapshot on paper: the result of a change, before anything is written.

use super::lookup::Paper;
use crate::etc::Side;
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tiu_bundle::index::Index;
use tiu_bundle::places::PRISTINE_ETC_PATH;
use tiu_extract::{Image, Rules};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Layer, Node, NodeLookup, Tree};

/// A snapshot on paper.
pub struct PlannedTree<'a> {
    /// The snapshot that is changed.
    tree: &'a Tree,
    /// The directory of the snapshot that the change is about.
    top: &'a TreePath,
    /// The image that the rest of the directory comes from, with the paths of the snapshot.
    image: &'a dyn Image,
    paper: Paper<'a>,
    kept: HashSet<&'a TreePath>,
    host_paths: &'a [TreePathBuf],
}

impl<'a> PlannedTree<'a> {
    /// Returns the future of `tree`: everything in its directory `top` comes from `image`, whose
    /// index is `index`, except what stays by `rules`. Their paths are relative to `top`.
    pub fn new(
        tree: &'a Tree,
        top: &'a TreePath,
        (index, image): (&'a Index, &'a dyn Image),
        rules: &'a Rules,
    ) -> Self {
        let kept = rules.keep.iter().map(|path| &**path).collect();
        PlannedTree { tree, top, image, paper: Paper(index), kept, host_paths: &rules.host_paths }
    }

    fn side(&self, path: &TreePath) -> Side {
        match path.strip_prefix(self.top) {
            Some(below)
                if !self.kept.contains(below)
                    && !self.host_paths.iter().any(|host| below.starts_with(host)) =>
            {
                Side::Image
            }
            _ => Side::Host,
        }
    }
}

/// Returns the path in the image that has the content of `path`: the copy of the image's `/etc` is
/// the image's `/etc`.
fn in_image(path: &TreePath) -> TreePathBuf {
    match path.strip_prefix(PRISTINE_ETC_PATH) {
        Some(below) => TreePath::literal("etc").join(below),
        None => path.to_owned(),
    }
}

impl NodeLookup for PlannedTree<'_> {
    fn node(&self, path: &TreePath) -> io::Result<Option<Node>> {
        match self.side(path) {
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
        match self.side(path) {
            Side::Host => self.tree.open(path),
            Side::Image => Ok(self.image.open(&in_image(path)).map_err(io::Error::other)?),
        }
    }

    fn shown(&self, path: &TreePath) -> PathBuf {
        Path::new("/").join(path)
    }
}
