//! Plans from trees that only exist on paper.

use super::compare::compare;
use super::sources;
use super::steps::{Conflict, Plan};
use crate::engine::join::Joined;
use crate::engine::metadata::{MetadataWanted, differences_of};
use crate::engine::rules::{Lookup, Rules};
use crate::engine::settle::is_candidate;
use crate::engine::tree::{Listing, NONE, Node, Ownership, ScannedTree};
use crate::engine::walk::ReadAttributes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tiu_bundle::content_digest::{Digest, digest_bytes};
use tiu_bundle::index::{Entry, Index, IndexWriter, Kind, Mtime};
use tiu_system::path::TreePath;

/// One inode, of an index or of a target.
#[derive(Clone)]
struct PaperInode {
    kind: Kind,
    size: u64,
    digest: Option<Digest>,
    target: &'static str,
    mode: u32,
    ownership: Ownership,
    /// Names of the same number share an inode; 0: alone.
    ino: u64,
}

/// A file whose content follows from a name and a size.
fn file(content: &str, size: u64) -> PaperInode {
    let digest = Some(digest_bytes(format!("{content} {size}").as_bytes()));
    PaperInode { kind: Kind::File, size, digest, target: "", mode: 0o644, ownership: Ownership::Ours, ino: 0 }
}

fn linked(content: &str, ino: u64) -> PaperInode {
    PaperInode { ino, ..file(content, 9000) }
}

fn dir() -> PaperInode {
    PaperInode { kind: Kind::Dir, size: 0, digest: None, mode: 0o755, ..file("", 0) }
}

fn symlink(target: &'static str) -> PaperInode {
    PaperInode { kind: Kind::Symlink, target, ..dir() }
}

type Paper = BTreeMap<&'static str, PaperInode>;

fn paper<const N: usize>(inodes: [(&'static str, PaperInode); N]) -> Paper {
    let mut paper = BTreeMap::from(inodes);
    paper.entry("").or_insert_with(dir);
    let paths: Vec<&'static str> = paper.keys().copied().collect();
    for path in paths {
        for (i, _) in path.match_indices('/') {
            paper.entry(&path[..i]).or_insert_with(dir);
        }
    }
    paper
}

fn names(paper: &Paper, ino: u64) -> Vec<&'static str> {
    paper.iter().filter(|(_, inode)| ino != 0 && inode.ino == ino).map(|(path, _)| *path).collect()
}

fn index(paper: &Paper) -> Index {
    let mut writer = IndexWriter::default();
    for (path, inode) in paper {
        let names = names(paper, inode.ino);
        let first = names.first().copied().unwrap_or(path);
        let link = (first != *path).then_some(first);
        let target = (inode.kind == Kind::Symlink).then_some(inode.target);
        writer.push(Entry {
            path: Cow::Borrowed(TreePath::literal(path)),
            kind: if link.is_some() { Kind::HardLink } else { inode.kind },
            mode: if inode.kind == Kind::Symlink { 0o777 } else { inode.mode },
            nlink: names.len().max(1) as u32,
            uid: 0,
            gid: 0,
            rdev: 0,
            mtime: Mtime::default(),
            size: if inode.kind == Kind::Symlink { inode.target.len() as u64 } else { inode.size },
            target: target.map(|target| Cow::Borrowed(target.as_bytes())),
            link: link.map(|link| Cow::Borrowed(TreePath::literal(link))),
            digest: inode.digest,
            xattrs: Vec::new(),
        });
    }
    Index::parse(writer.finish()).unwrap()
}

/// Returns the tree as a walk finds it: with `settle`, what is as in the index has no node.
fn tree(paper: &Paper, index: &Index, rules: &Lookup, settle: bool) -> ScannedTree {
    let mut tree = ScannedTree::default();
    let mut waiting = vec![(None, "", NONE)];
    let mut number = 1 << 20;
    while let Some((directory, path, parent)) = waiting.pop() {
        let children: Vec<_> = match directory {
            None => vec![("", &paper[""])],
            Some(_) => paper
                .iter()
                .filter(|(p, _)| match path {
                    "" => !p.is_empty() && !p.contains('/'),
                    path => p
                        .strip_prefix(path)
                        .and_then(|p| p.strip_prefix('/'))
                        .is_some_and(|p| !p.contains('/')),
                })
                .map(|(p, inode)| (*p, inode))
                .collect(),
        };
        let mut listing = Listing::default();
        let mut with_node = Vec::new();
        for (path, inode) in &children {
            number += 1;
            let name = listing.keep(path.rsplit('/').next().unwrap_or_default().as_bytes());
            let target = listing.keep(inode.target.as_bytes());
            let node = Node {
                parent: if directory.is_none() { 0 } else { parent },
                name,
                target,
                children: 0..0,
                entry: index.find(TreePath::new(path).unwrap()).map_or(NONE, |i| i as u32),
                kind: inode.kind,
                ownership: inode.ownership,
                mode: inode.mode,
                nlink: names(paper, inode.ino).len().max(1) as u32,
                uid: 0,
                gid: 0,
                ino: if inode.ino == 0 { number } else { inode.ino },
                value: inode.size,
                mtime: Mtime::default(),
                locked: false,
            };
            let is_settled = |entry: Entry| {
                is_candidate(&node, inode.target.as_bytes(), &entry)
                    && entry.digest == inode.digest
                    && !differences_of(&node, None, &MetadataWanted::from_entry(&entry, rules)).any()
            };
            if settle && node.entry != NONE && is_settled(index.entry(node.entry as usize)) {
                listing.settled.push(node.entry);
            } else {
                listing.nodes.push(node);
                with_node.push((*path, *inode));
            }
        }
        let first = tree.add(directory, listing).unwrap();
        for (i, (path, inode)) in (first..).zip(with_node) {
            if inode.kind == Kind::Dir {
                waiting.push((Some(i), path, i));
            }
            // What is the host's is never read.
            tree.add_digests(
                inode.digest.filter(|_| inode.ownership != Ownership::Host).map(|digest| (i, digest)),
            );
        }
    }
    tree
}

fn try_plan(
    target: &Paper,
    wanted: &Paper,
    seeds: &[Paper],
    rules: &Rules,
) -> Result<(Plan, Index), Conflict> {
    let (plan, index) = make_plan(target, wanted, seeds, rules, false)?;
    let (settled, _) = make_plan(target, wanted, seeds, rules, true)?;
    // A name without a node is no less known.
    assert_eq!(plan.summary(), settled.summary());
    assert_eq!(text(&plan, &index), text(&settled, &index));
    Ok((settled, index))
}

fn make_plan(
    target: &Paper,
    wanted: &Paper,
    seeds: &[Paper],
    rules: &Rules,
    settle: bool,
) -> Result<(Plan, Index), Conflict> {
    let index = index(wanted);
    let rules = Lookup::new(rules);
    let tree_of = |paper, settle| tree(paper, &index, &rules, settle);
    let tree = tree_of(target, settle);
    let seeds: Vec<ScannedTree> = seeds.iter().map(|seed| tree_of(seed, false)).collect();
    let joined = Joined::new(&index, &tree, &rules, ReadAttributes::Now);
    let mut comparison = compare(&index, &tree, joined, &rules)?;
    sources::choose(&index, &mut comparison, &tree, &seeds);
    let (steps, places) = (comparison.steps, comparison.places);
    Ok((Plan { steps, places, tree, seeds, part: None, proved: 0, can_reflink: true }, index))
}

fn plan(target: &Paper, wanted: &Paper) -> Plan {
    try_plan(target, wanted, &[], &Rules::default()).unwrap().0
}

/// The plan as text.
fn described(target: &Paper, wanted: &Paper, seeds: &[Paper]) -> String {
    let (plan, index) = try_plan(target, wanted, seeds, &Rules::default()).unwrap();
    text(&plan, &index)
}

fn text(plan: &Plan, index: &Index) -> String {
    let mut out = Vec::new();
    plan.describe(index, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn nothing_to_do() {
    let all =
        paper([("a/b", file("x", 9000)), ("l", symlink("a")), ("h", linked("y", 1)), ("i", linked("y", 1))]);
    let plan = plan(&all, &all);
    assert!(plan.is_empty());
    assert_eq!((plan.summary().unchanged, plan.space_needed()), (6, 0));
    assert_eq!(described(&all, &all, &[]), "");
}

#[test]
fn every_step_in_its_order() {
    let target = paper([
        ("swap-a", file("a", 9000)),
        ("swap-b", file("b", 9000)),
        ("old/name", file("moves", 9000)),
        ("becomes-link/file", file("also moves", 9000)),
        ("becomes-dir", file("goes", 9000)),
        ("changes", file("old", 9000)),
        ("mode", PaperInode { mode: 0o600, ..file("same", 9000) }),
        ("in-the-way/x", dir()),
    ]);
    let wanted = paper([
        ("swap-a", file("b", 9000)),
        ("swap-b", file("a", 9000)),
        ("new/name", file("moves", 9000)),
        ("new/too", file("also moves", 9000)),
        ("becomes-link", symlink("new")),
        ("becomes-dir/inner", file("small", 100)),
        ("changes", file("new", 10_000)),
        ("mode", file("same", 9000)),
        ("in-the-way", file("twice", 5000)),
        ("new/twin", file("twice", 5000)),
        ("new/h1", linked("linked", 1)),
        ("new/h2", linked("linked", 1)),
    ]);
    assert_eq!(
        described(&target, &wanted, &[]),
        "\
mkdir     becomes-dir
mkdir     new
reflink   swap-a (9000 bytes) from swap-b
reflink   swap-b (9000 bytes) from swap-a
write     becomes-dir/inner (100 bytes)
write     changes (10000 bytes, less what equals changes)
write     new/h1 (9000 bytes)
reflink   new/name (9000 bytes) from old/name
reflink   new/too (9000 bytes) from becomes-link/file
metadata  mode
remove    becomes-link/file
remove    old/name
remove    old
remove    in-the-way/x
remove    in-the-way
remove    becomes-link
write     in-the-way (5000 bytes)
reflink   new/twin (5000 bytes) from in-the-way
make      becomes-link (symbolic link to new)
link      new/h2 to new/h1
metadata  .
metadata  becomes-dir
metadata  new
"
    );
}

#[test]
fn a_file_that_stays_is_the_better_source() {
    let target = paper([("0-goes", file("x", 9000)), ("stays", file("x", 9000))]);
    let wanted = paper([("stays", file("x", 9000)), ("new", file("x", 9000))]);
    assert!(described(&target, &wanted, &[]).starts_with("reflink   new (9000 bytes) from stays\n"));
}

#[test]
fn seeds_come_after_the_target() {
    let target = paper([("old", file("x", 9000))]);
    let seed = paper([("s", file("x", 9000)), ("t", file("y", 9000)), ("third", file("older", 9000))]);
    let wanted = paper([("first", file("x", 9000)), ("second", file("y", 9000)), ("third", file("z", 9000))]);
    let text = described(&target, &wanted, &[paper([]), seed]);
    assert_eq!(
        text.lines().take(3).collect::<Vec<_>>(),
        [
            "reflink   first (9000 bytes) from old",
            "reflink   second (9000 bytes) from t of seed 2",
            "write     third (9000 bytes, less what equals third of seed 2)",
        ]
    );
}

#[test]
fn what_is_too_small_to_share_is_written() {
    let target = paper([("a", file("x", 2048)), ("c", file("x", 4000))]);
    let wanted = paper([("b", file("x", 2048)), ("c", file("y", 4096))]);
    let text = described(&target, &wanted, &[]);
    assert!(
        text.contains("write     b (2048 bytes)\n") && text.contains("write     c (4096 bytes)\n"),
        "{text}"
    );
}

#[test]
fn names_of_an_inode_that_is_there() {
    let target = paper([("b", linked("x", 1)), ("c", linked("x", 1)), ("d", file("x", 9000))]);
    let wanted = paper([("a", linked("x", 7)), ("c", linked("x", 7)), ("d", linked("x", 7))]);
    assert_eq!(
        described(&target, &wanted, &[]),
        "remove    b\nlink      a to c\nlink      d to c\nmetadata  .\n"
    );
}

#[test]
fn an_inode_of_two_groups_goes_to_the_first() {
    let target = paper([("a", linked("x", 1)), ("b", linked("x", 1))]);
    let wanted = paper([("a", file("x", 9000)), ("b", file("x", 9000))]);
    assert_eq!(described(&target, &wanted, &[]), "reflink   b (9000 bytes) from a\nmetadata  .\n");
}

#[test]
fn an_inode_with_a_name_that_is_not_found_is_copied() {
    let target = paper([("a", linked("x", 1)), ("elsewhere", linked("x", 1))]);
    let mut target_index = target.clone();
    target_index.get_mut("elsewhere").unwrap().ownership = Ownership::Host;
    let wanted = paper([("a", file("x", 9000))]);
    let text = described(&target_index, &wanted, &[]);
    assert!(text.starts_with("reflink   a (9000 bytes) from a\n"), "{text}");
}

#[test]
fn what_is_the_hosts_holds_its_directories() {
    let host = PaperInode { ownership: Ownership::Host, ..dir() };
    let target = paper([("extra/mount", host.clone()), ("extra/file", file("x", 1)), ("mnt", host)]);
    let wanted = paper([("mnt/image", file("y", 1)), ("srv/image", file("y", 1))]);
    let rules = Rules { host_paths: vec![TreePath::literal("srv").to_owned()], ..Rules::default() };
    let (plan, index) = try_plan(&target, &wanted, &[], &rules).unwrap();
    let mut out = Vec::new();
    plan.describe(&index, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "mkdir     srv\nremove    extra/file\nmetadata  .\nmetadata  srv\n");
    let wanted = paper([("extra", file("y", 1))]);
    let conflict = try_plan(&target, &wanted, &[], &rules).err().unwrap();
    assert_eq!(conflict.expected, Kind::File);
}
