//! The second half of planning: finds existing copies of missing content.
//!
//! It looks in this order: in the target under any path, in a seed under any path, in another file
//! of the image that is written anyway; then, for single blocks, in the older file at the same path
//! of the target or of a seed.

use super::compare::{Comparison, PendingFile};
use super::steps::{ContentSource, FileContent, FileStep, INLINE};
use crate::engine::hash;
use crate::engine::join::EntryPlace;
use crate::engine::tree::{NONE, Ownership, ScannedTree};
use std::collections::{HashMap, HashSet};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Entry, Index, Kind};

/// Returns the sizes of missing content that is worth searching for.
pub(super) fn sizes_wanted(index: &Index, comparison: &Comparison) -> HashSet<u64> {
    let sizes = comparison.pending.iter().map(|pending_file| index.entry(pending_file.entry as usize).size);
    sizes.filter(|size| *size > INLINE).collect()
}

/// Returns the files of `tree` with such a size whose digest is not known.
pub(super) fn to_hash(tree: &ScannedTree, sizes: &HashSet<u64>) -> Vec<hash::HashRequest> {
    let candidates = (0u32..).zip(&tree.nodes).filter(|(i, node)| {
        is_readable_file(tree, *i)
            && sizes.contains(&node.value)
            && tree.digest(*i).is_none()
            && tree.unreadable(*i).is_empty()
    });
    candidates.map(|(node, _)| hash::HashRequest { node, attributes: false }).collect()
}

fn is_readable_file(tree: &ScannedTree, i: u32) -> bool {
    let node = tree.node(i);
    node.kind == Kind::File && matches!(node.ownership, Ownership::Ours | Ownership::Kept)
}

/// Returns the sizes of content that is missing in the target and in the seeds that were read.
pub(super) fn sizes_missing(index: &Index, comparison: &Comparison, tree: &ScannedTree) -> HashSet<u64> {
    let mut missing: HashMap<Digest, u64> = HashMap::new();
    for pending_file in &comparison.pending {
        let entry = index.entry(pending_file.entry as usize);
        missing.extend(entry.digest.filter(|_| entry.size > INLINE).map(|digest| (digest, entry.size)));
    }
    tree.digests().for_each(|(_, digest)| _ = missing.remove(&digest));
    let found: Vec<Digest> = settled_with(index, &comparison.places, |digest| missing.contains_key(digest))
        .map(|(_, _, digest)| digest)
        .collect();
    found.iter().for_each(|digest| _ = missing.remove(digest));
    missing.into_values().collect()
}

/// Returns the entries that have no node and whose content has a digest that `wanted` accepts.
fn settled_with<'a>(
    index: &'a Index,
    places: &'a [EntryPlace],
    wanted: impl Fn(&Digest) -> bool + Copy + 'a,
) -> impl Iterator<Item = (u32, Entry<'a>, Digest)> + 'a {
    let settled = |i: &usize| places.get(*i) == Some(&EntryPlace::Settled);
    index.with_digests(wanted).filter(settled).filter_map(|i| {
        let entry = index.entry(i);
        let digest = entry.digest?;
        Some((i as u32, entry, digest))
    })
}

/// The time until which a file of the target keeps its content at its path. The best come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lifetime {
    /// It stays.
    Always,
    /// It is removed after all files are made.
    UntilRemoval,
    /// Another step replaces it.
    UntilReplaced,
}

/// Chooses the source of every missing file.
pub(super) fn choose(index: &Index, comparison: &mut Comparison, tree: &ScannedTree, seeds: &[ScannedTree]) {
    let pending = std::mem::take(&mut comparison.pending);
    let digest = |file: &PendingFile| {
        let entry = index.entry(file.entry as usize);
        entry.digest.filter(|_| entry.size > INLINE)
    };
    let wanted: HashSet<Digest> = pending.iter().filter_map(digest).collect();
    let in_target = find_in_target(index, comparison, tree, &wanted);
    let in_seeds = find_in_seeds(seeds, &wanted);
    let mut made: HashMap<Digest, u32> = HashMap::new();
    for pending_file in pending {
        let entry = index.entry(pending_file.entry as usize);
        let Some(digest) = entry.digest else { continue };
        let file = |content| FileStep { entry: pending_file.entry, size: entry.size, content };
        let steps = &mut comparison.steps;
        let ordinary = if pending_file.late { &mut steps.late } else { &mut steps.files };
        if entry.size <= INLINE {
            ordinary.push(file(FileContent::Write));
            continue;
        }
        match in_target.get(&digest) {
            // The file may lie in the directory that it replaces, which is removed by then.
            Some((Lifetime::Always, source)) => {
                ordinary.push(file(FileContent::Reflink(*source)));
                continue;
            }
            Some((Lifetime::UntilRemoval, source)) if !pending_file.late => {
                ordinary.push(file(FileContent::Reflink(*source)));
                continue;
            }
            Some((Lifetime::UntilReplaced, source)) if !pending_file.late => {
                steps.early.push(file(FileContent::Reflink(*source)));
                continue;
            }
            _ => {}
        }
        if let Some((seed, node)) = in_seeds.get(&digest) {
            ordinary.push(file(FileContent::Reflink(ContentSource::Seed(*seed, *node))));
        } else if let Some(first) = made.get(&digest) {
            steps.copies.push(file(FileContent::Reflink(ContentSource::Entry(*first))));
        } else {
            let older = older(&pending_file, entry.path.as_bytes(), entry.size, tree, seeds);
            ordinary.push(file(older.map_or(FileContent::Write, FileContent::Patch)));
            made.insert(digest, pending_file.entry);
        }
    }
}

fn find_in_target(
    index: &Index,
    comparison: &Comparison,
    tree: &ScannedTree,
    wanted: &HashSet<Digest>,
) -> HashMap<Digest, (Lifetime, ContentSource)> {
    let mut found: HashMap<Digest, (Lifetime, Vec<u8>, ContentSource)> = HashMap::new();
    let mut add = |digest: Digest, lifetime: Lifetime, path: Vec<u8>, source: ContentSource| {
        let best = found.get(&digest);
        if best.is_none_or(|(best, at, _)| (lifetime, &path) < (*best, at)) {
            found.insert(digest, (lifetime, path, source));
        }
    };
    for (i, digest) in tree.digests().filter(|(_, digest)| wanted.contains(digest)) {
        if let Some(lifetime) = lifetime(comparison, tree, i) {
            add(digest, lifetime, tree.path(i), ContentSource::Target(i));
        }
    }
    for (i, entry, digest) in settled_with(index, &comparison.places, |digest| wanted.contains(digest)) {
        let path = entry.path.as_bytes().to_vec();
        add(digest, Lifetime::Always, path, ContentSource::Entry(i));
    }
    found.into_iter().map(|(digest, (lifetime, _, source))| (digest, (lifetime, source))).collect()
}

fn lifetime(comparison: &Comparison, tree: &ScannedTree, i: u32) -> Option<Lifetime> {
    let node = tree.node(i);
    let replaced = comparison.replaced.get(node.entry as usize).copied().unwrap_or(false);
    match comparison.places.get(node.entry as usize) {
        _ if node.ownership == Ownership::Kept => Some(Lifetime::Always),
        None => Some(Lifetime::UntilRemoval),
        Some(EntryPlace::Here(_)) if !replaced => Some(Lifetime::Always),
        Some(EntryPlace::Here(_)) => Some(Lifetime::UntilReplaced),
        // A directory takes its place, so it is removed at once; or another kind of inode, which is
        // too rare to care for.
        Some(EntryPlace::Other(_)) => None,
        Some(_) => Some(Lifetime::Always),
    }
}

fn find_in_seeds(seeds: &[ScannedTree], wanted: &HashSet<Digest>) -> HashMap<Digest, (u16, u32)> {
    let mut found = HashMap::new();
    for (number, tree) in (0u16..).zip(seeds) {
        for (i, digest) in tree.digests().filter(|(_, digest)| wanted.contains(digest)) {
            found.entry(digest).or_insert((number, i));
        }
    }
    found
}

/// Returns the older version of a file, if it may have equal blocks.
fn older(
    pending_file: &PendingFile,
    path: &[u8],
    size: u64,
    tree: &ScannedTree,
    seeds: &[ScannedTree],
) -> Option<ContentSource> {
    let has_blocks = |tree: &ScannedTree, node: u32| {
        let is_sound = tree.unreadable(node).iter().all(|unreadable| !unreadable.is_metadata());
        tree.node(node).value >= BLOCK_SIZE as u64 && is_sound
    };
    if size < BLOCK_SIZE as u64 {
        return None;
    }
    if let Some(old) = pending_file.old {
        return has_blocks(tree, old).then_some(ContentSource::Target(old));
    }
    (0u16..).zip(seeds).find_map(|(number, seed)| {
        let node =
            find(seed, path).filter(|node| is_readable_file(seed, *node) && has_blocks(seed, *node))?;
        Some(ContentSource::Seed(number, node))
    })
}

/// Returns the node at `path`.
fn find(tree: &ScannedTree, path: &[u8]) -> Option<u32> {
    if tree.nodes.is_empty() {
        return None;
    }
    let mut at = 0;
    for name in path.split(|c| *c == b'/') {
        let children = tree.children(at);
        let (mut low, mut high) = (children.start, children.end);
        at = NONE;
        while low < high {
            let middle = low + (high - low) / 2;
            match tree.name(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    at = middle;
                    break;
                }
            }
        }
        if at == NONE {
            return None;
        }
    }
    Some(at)
}
