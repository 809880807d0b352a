//! Scans whole trees: the target, joined with the index, and seeds.

use super::error::EngineError;
use super::hash::Reading;
use super::join::Joined;
use super::tree::ScannedTree;
use super::walk::{ReadAttributes, Walk};
use std::os::fd::OwnedFd;
use std::path::Path;
use tiu_bundle::index::Index;
use tiu_system::progress::Unit;

/// Scans the target and joins it with the index.
pub(crate) fn scan(
    index: &Index,
    attributes: ReadAttributes,
    reading: &Reading,
) -> Result<(ScannedTree, Joined), EngineError> {
    let Reading { root, rules, watch, .. } = *reading;
    let walk = Walk { root, index: Some(index), everything: false, rules, attributes, scope: None, watch };
    let tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let joined = Joined::new(index, &tree, rules, attributes);
    Ok((tree, joined))
}

/// Scans a seed: kinds and sizes alone.
pub(crate) fn scan_seed(reading: &Reading) -> Result<ScannedTree, EngineError> {
    let Reading { root, rules, watch, .. } = *reading;
    let attributes = ReadAttributes::WithContent;
    let walk = Walk { root, index: None, everything: false, rules, attributes, scope: None, watch };
    watch.phase("Scanning the seed", 0, Unit::Items, || walk.run())
}

/// Opens the root of a seed.
pub(crate) fn open_seed(path: &Path) -> Result<OwnedFd, EngineError> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| EngineError::Io { operation: "open the seed", path: path.to_owned(), source: e.into() })
}
