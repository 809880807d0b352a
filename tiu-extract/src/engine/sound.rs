//! Looks for damaged metadata in a tree of which a copy is to be changed.

use super::error::EngineError;
use super::hash::{Caching, Reading};
use super::rules::{Lookup, Rules};
use super::settle::Settle;
use super::tree::Ownership;
use super::walk::{ReadAttributes, Walk};
use std::os::fd::BorrowedFd;
use tiu_bundle::index::Kind;
use tiu_system::progress::{Unit, Watch};

/// Reads all metadata of the tree at `root`, and no content. Fails with [`EngineError::Damaged`] if
/// the filesystem cannot read a part of it: a change of the tree, or of a copy of it, could make
/// the filesystem stop writing. Does not read what `rules` say is the host's.
pub fn check_metadata(root: BorrowedFd, rules: &Rules, watch: Watch) -> Result<(), EngineError> {
    let rules = &Lookup::new(rules);
    let (attributes, settle) = (ReadAttributes::Now, Settle::Never);
    let walk = Walk { root, index: None, everything: true, rules, attributes, settle, scope: None, watch };
    let mut tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let is_ours = |ownership| matches!(ownership, Ownership::Ours | Ownership::Opaque | Ownership::Kept);
    let files = (0u32..).zip(&tree.nodes).filter(|(node, found)| {
        found.kind == Kind::File && is_ours(found.ownership) && tree.unreadable(*node).is_empty()
    });
    let files: Vec<u32> = files.map(|(node, _)| node).collect();
    Reading { root, caching: Caching::PageCache, rules, watch }.probe(&mut tree, &files)?;
    match tree.all_unreadable().find(|(_, unreadable)| unreadable.is_metadata()) {
        Some((node, unreadable)) => Err(unreadable.into_damaged(&tree.path(node))),
        None => Ok(()),
    }
}
