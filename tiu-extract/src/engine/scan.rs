//! Walks whole trees: the target, with the index laid over it, and seeds.

use super::error::EngineError;
use super::hash::Reading;
use super::join::Joined;
use super::tree::ScannedTree;
use super::walk::{ReadAttributes, Walk};
use std::os::fd::OwnedFd;
use std::path::Path;
use tiu_bundle::index::Index;
use tiu_system::progress::Unit;

/// Walks the target and lays the index over it.
pub(crate) fn scan(
    index: &Index,
    attributes: ReadAttributes,
    reading: &Reading,
) -> Result<(ScannedTree, Joined), EngineError> {
    let Reading { root, rules, progress, cancel, .. } = *reading;
    progress.begin("Looking", 0, Unit::Items);
    let tree =
        Walk { root, index: Some(index), everything: false, rules, attributes, progress, cancel }.run();
    progress.end();
    let tree = tree?;
    let joined = Joined::new(index, &tree, rules, attributes);
    Ok((tree, joined))
}

pub(crate) fn scan_seed(reading: &Reading) -> Result<ScannedTree, EngineError> {
    let Reading { root, rules, progress, cancel, .. } = *reading;
    let attributes = ReadAttributes::WithContent;
    progress.begin("Looking at the seed", 0, Unit::Items);
    let tree = Walk { root, index: None, everything: false, rules, attributes, progress, cancel }.run();
    progress.end();
    tree
}

pub(crate) fn open_seed(path: &Path) -> Result<OwnedFd, EngineError> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| EngineError::Io { operation: "open the seed", path: path.to_owned(), source: e.into() })
}
