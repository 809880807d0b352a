//! Looks at what is not proved.

use super::narrow::Narrowed;
use super::unproved::{Proof, Unproved};
use crate::engine::error::EngineError;
use crate::engine::hash::Reading;
use crate::engine::join::{EntryPlace, Joined};
use crate::engine::settle::Settle;
use crate::engine::tree::{NONE, Ownership, ScannedTree};
use crate::engine::walk::{ReadAttributes, Walk};
use tiu_bundle::index::{Index, Kind};
use tiu_system::progress::Unit;

/// Scans the part of the target that is looked at, and joins it with its part of the index. Files
/// whose content is proved have their digests.
pub(crate) fn scan_changes(
    index: &Index,
    narrowed: &Narrowed,
    proof: &Proof,
    reading: &Reading,
) -> Result<Result<(ScannedTree, Joined), Unproved>, EngineError> {
    let Reading { root, rules, watch, .. } = *reading;
    let (part, scope, attributes) = (&narrowed.index, Some(&narrowed.scope), ReadAttributes::Now);
    // What is proved has its digest in its node.
    let settle = Settle::Never;
    let walk = Walk { root, index: Some(part), everything: false, rules, attributes, settle, scope, watch };
    let mut tree = watch.phase("Scanning", 0, Unit::Items, || walk.run())?;
    let joined = Joined::new(part, &tree, rules, attributes);
    if let Err(unproved) = check_whole(index, part, &tree, &joined) {
        return Ok(Err(unproved));
    }
    let digest = |i: u32| {
        let node = tree.node(i);
        let path = tree.path(i);
        if node.kind != Kind::File || node.ownership != Ownership::Ours || !narrowed.scope.is_proved(&path) {
            return None;
        }
        let entry = proof.index.entry(proof.index.find(&tree.tree_path(i))?);
        let inode = proof.index.inode_of(&entry);
        (inode.kind == Kind::File && inode.size == node.value).then_some((i, inode.digest?))
    };
    let digests: Vec<_> = (0..tree.nodes.len() as u32).filter_map(digest).collect();
    tree.add_digests(digests);
    Ok(Ok((tree, joined)))
}

/// Checks that the part leaves nothing out that the scan found to matter: a name that the index has
/// would else be removed, and what is below a directory that does not exist would not be made.
fn check_whole(index: &Index, part: &Index, tree: &ScannedTree, joined: &Joined) -> Result<(), Unproved> {
    for (i, node) in (0u32..).zip(&tree.nodes) {
        if node.entry == NONE && index.find(&tree.tree_path(i)).is_some() {
            let path = tree.tree_path(i);
            return Err(Unproved::new(format_args!("{} was left out", path.absolute())));
        }
    }
    for (i, entry) in (0u32..).zip(part.iter()).filter(|(_, entry)| entry.kind == Kind::Dir) {
        let is_gone = matches!(joined.place(i), EntryPlace::Missing | EntryPlace::Other(_));
        if is_gone && index.range_below(&entry.path).len() != part.range_below(&entry.path).len() {
            return Err(Unproved::new(format_args!("{} is gone", entry.path.absolute())));
        }
    }
    Ok(())
}
