//! Follows a path through a system's symbolic links.

use super::nodes::{Node, NodeLookup};
use crate::path::{TreePath, TreePathBuf};
use std::collections::VecDeque;
use std::io;

/// Most symbolic links that are followed on one path, as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The path without a symbolic link in it. Parts that do not exist are as they were given.
    pub path: TreePathBuf,
    /// The inode there, if it exists.
    pub node: Option<Node>,
    /// The first symbolic link on the way that leads to nothing, and its target.
    pub dangling: Option<(TreePathBuf, Vec<u8>)>,
}

/// A path has no end.
#[derive(Debug)]
pub enum WalkError {
    /// A circle of symbolic links, or too many of them, at this path.
    Links(TreePathBuf),
    /// Something other than a directory, at this path and on the way.
    NotDirectory(TreePathBuf),
    /// The parent of what does not exist was asked for.
    NoParent,
    /// The inode at this path cannot be looked up.
    Lookup(TreePathBuf, io::Error),
}

/// A symbolic link that is being followed.
struct Link {
    path: TreePathBuf,
    target: Vec<u8>,
    /// Number of names that remain once it has been followed.
    rest: usize,
}

/// Returns where `path` leads in a system. Symbolic links lead within it, absolute ones too.
pub fn walk(nodes: &dyn NodeLookup, path: &[u8]) -> Result<Destination, WalkError> {
    let mut rest: VecDeque<Vec<u8>> = names(path).map(<[u8]>::to_vec).collect();
    let (mut at, mut node) = (TreePathBuf::default(), Some(Node::Directory));
    let (mut following, mut dangling, mut links) = (None::<Link>, None, 0);
    while let Some(name) = rest.pop_front() {
        if node.as_ref().is_some_and(|node| *node != Node::Directory) {
            return Err(WalkError::NotDirectory(at));
        }
        if name == b".." {
            // Only a directory that exists has a parent.
            if node.is_none() {
                return Err(WalkError::NoParent);
            }
            at.pop();
            continue;
        }
        following = following.filter(|link| rest.len() >= link.rest);
        let next = at.child(&name).map_err(|e| WalkError::Lookup(at.clone(), io::Error::other(e)))?;
        let found = match node {
            Some(_) => nodes.node(&next).map_err(|e| WalkError::Lookup(next.clone(), e))?,
            None => None,
        };
        match found {
            Some(Node::Link(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(WalkError::Links(next));
                }
                let names: Vec<Vec<u8>> = names(&target).map(<[u8]>::to_vec).collect();
                if target.starts_with(b"/") {
                    at = TreePathBuf::default();
                }
                following = following.or(Some(Link { path: next, target, rest: rest.len() }));
                names.into_iter().rev().for_each(|name| rest.push_front(name));
            }
            found => {
                if found.is_none() && dangling.is_none() {
                    dangling = following.take().map(|link| (link.path, link.target));
                }
                (at, node) = (next, found);
            }
        }
    }
    Ok(Destination { path: at, node, dangling })
}

/// Returns the path and the inode that a program of a system finds at `path`, if it exists.
pub fn resolve(nodes: &dyn NodeLookup, path: &TreePath) -> Option<(TreePathBuf, Node)> {
    let Destination { path, node, .. } = walk(nodes, path.as_bytes()).ok()?;
    Some((path, node?))
}

/// Returns the path to which `path` leads in a system. The parts that do not exist stay as they
/// are, and so does a path in a circle of symbolic links.
pub fn destination(nodes: &dyn NodeLookup, path: &TreePath) -> TreePathBuf {
    walk(nodes, path.as_bytes()).map_or_else(|_| path.to_owned(), |end| end.path)
}

fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|c| *c == b'/').filter(|name| !name.is_empty() && *name != b".")
}
