//! Compares a tree with an index: the metadata of every inode, and content as requested.
//!
//! Content is read without the page cache where the filesystem can: what the disk holds, not what
//! the kernel has in memory.

use super::error::EngineError;
use super::hash::{Caching, Reading};
use super::join::{EntryPlace, Joined};
use super::metadata::{self, MetadataWanted};
use super::plan::Plan;
use super::proof::{Proof, Unproved, changes_of_subvolume, narrow, scan_changes};
use super::rules::{Lookup, Rules};
use super::scan::scan;
use super::shown::Shown;
use super::tree::{NONE, Ownership, ScannedTree};
use super::unreadable::Part;
use super::walk::ReadAttributes;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::{Entry, Index, Kind};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::Watch;

/// One difference between a target and an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Difference {
    /// The path.
    pub path: TreePathBuf,
    /// `missing`, `extra`, `type`, `content`, `unreadable`, `mode`, `owner`, `xattrs`, `flags`,
    /// `target`, `rdev`, `mtime`, `hardlink`.
    pub what: &'static str,
    /// The found value.
    pub found: String,
    /// The expected value.
    pub expected: String,
}

/// The content that a [`check`] reads.
#[derive(Clone, Copy)]
pub enum ReadBack<'a> {
    /// Every regular file.
    All,
    /// None: only sizes and the other metadata are compared.
    Metadata,
    /// None, right after this plan was carried out: the run read back each file that it made.
    Executed(&'a Plan),
}

/// Compares a directory with `index`. Returns all differences, sorted by path.
pub fn check(
    index: &Index,
    target: BorrowedFd,
    rules: &Rules,
    read_back: ReadBack,
    watch: Watch,
) -> Result<Vec<Difference>, EngineError> {
    if let ReadBack::Executed(plan) = read_back
        && plan.is_empty()
    {
        // The plan was made by this comparison, and nothing changed since.
        return Ok(Vec::new());
    }
    let rules = &Lookup::new(rules);
    let reading = Reading { root: target, caching: Caching::Bypassed, rules, watch };
    let attributes = match read_back {
        ReadBack::All => ReadAttributes::WithContent,
        ReadBack::Metadata | ReadBack::Executed(_) => ReadAttributes::Now,
    };
    let (mut tree, mut joined) = scan(index, attributes, &reading)?;
    let mut files = Vec::new();
    if let ReadBack::All = read_back {
        files.append(&mut joined.same_size);
        // Those of another size are read for their attributes.
        files.append(&mut joined.other_size);
    }
    reading.run("Checking", &mut tree, files)?;
    Ok(compare(index, &tree, &joined, rules))
}

/// Compares a directory with `index`, and looks only at what is not proved. Of files that are not
/// proved, `read_back` says which are read. Returns the reason if nothing is proved.
///
/// The directory is the root of a subvolume. After [`ReadBack::Executed`], files that changed since
/// the subvolume was made are also read, except those that the plan made.
///
/// Writes the changes of the directory's filesystem that are in memory to the disk.
pub fn check_changes(
    index: &Index,
    target: BorrowedFd,
    rules: &Rules,
    proof: &Proof,
    read_back: ReadBack,
    watch: Watch,
) -> Result<Result<Vec<Difference>, Unproved>, EngineError> {
    let narrowed = match narrow(index, target, rules, proof, u64::MAX) {
        Ok(narrowed) => narrowed,
        Err(unproved) => return Ok(Err(unproved)),
    };
    let rules = &Lookup::new(rules);
    let reading = Reading { root: target, caching: Caching::Bypassed, rules, watch };
    let (mut tree, mut joined) = match scan_changes(index, &narrowed, proof, &reading)? {
        Ok(scanned) => scanned,
        Err(unproved) => return Ok(Err(unproved)),
    };
    let mut files = std::mem::take(&mut joined.same_size);
    files.retain(|file| tree.digest(file.node).is_none());
    match read_back {
        ReadBack::All => {}
        ReadBack::Metadata => files.clear(),
        ReadBack::Executed(plan) => {
            let changed = match changes_of_subvolume(target) {
                Ok(changed) => changed,
                Err(unproved) => return Ok(Err(unproved)),
            };
            let made = plan.made(index);
            files.retain(|file| {
                changed.contains(&tree.node(file.node).ino) && !made.contains(&tree.tree_path(file.node))
            });
        }
    }
    reading.run("Checking", &mut tree, files)?;
    Ok(Ok(compare(&narrowed.index, &tree, &joined, rules)))
}

/// Returns all differences of a tree that was scanned, sorted by path.
fn compare(index: &Index, tree: &ScannedTree, joined: &Joined, rules: &Lookup) -> Vec<Difference> {
    let unlisted = tree.all_unreadable().filter(|(_, unreadable)| unreadable.part == Part::Names);
    let unlisted = unlisted.map(|(node, _)| tree.tree_path(node)).collect();
    let mut checker = Checker { index, tree, joined, rules, unlisted, found: Vec::new() };
    for (i, entry) in (0u32..).zip(index.iter()) {
        checker.entry(i, &entry);
    }
    checker.extra();
    checker.found.sort();
    checker.found
}

struct Checker<'a> {
    index: &'a Index,
    tree: &'a ScannedTree,
    joined: &'a Joined,
    rules: &'a Lookup<'a>,
    /// Directories whose names cannot be read.
    unlisted: Vec<TreePathBuf>,
    found: Vec<Difference>,
}

impl Checker<'_> {
    fn add(&mut self, path: &TreePath, what: &'static str, found: impl ToString, expected: impl ToString) {
        let (found, expected) = (found.to_string(), expected.to_string());
        self.found.push(Difference { path: path.to_owned(), what, found, expected });
    }

    fn entry(&mut self, i: u32, entry: &Entry) {
        let inode = self.index.inode_of(entry);
        let node = match self.joined.place(i) {
            EntryPlace::Outside | EntryPlace::Settled => return,
            EntryPlace::Kept(node) => {
                self.unreadable(node, &inode, &entry.path);
                return;
            }
            // Nobody knows whether it is missing.
            EntryPlace::Missing
                if self.unlisted.iter().any(|directory| entry.path.starts_with(directory)) =>
            {
                return;
            }
            EntryPlace::Missing | EntryPlace::Mount => {
                return self.add(&entry.path, "missing", "nothing", inode.kind);
            }
            EntryPlace::Here(node) | EntryPlace::Other(node) => node,
        };
        let found = self.tree.node(node);
        if found.ownership == Ownership::Placeholder {
            return self.add(&entry.path, "type", "placeholder of a subvolume", inode.kind);
        }
        self.unreadable(node, &inode, &entry.path);
        if self.tree.lacks(node, Part::Inode) {
            return;
        }
        if found.kind != inode.kind {
            return self.add(&entry.path, "type", found.kind, inode.kind);
        }
        self.content(&inode, node, &entry.path);
        let mut wanted = MetadataWanted::from_entry(entry, self.rules);
        if self.joined.is_loose(i) {
            wanted.mtime = found.mtime;
        }
        self.metadata(node, &wanted, &entry.path);
        if found.kind != Kind::Dir {
            self.names(i, node, &entry.path);
        }
    }

    /// Adds the parts of `node` that cannot be read.
    fn unreadable(&mut self, node: u32, inode: &Entry, path: &TreePath) {
        for unreadable in self.tree.unreadable(node) {
            match inode.digest.filter(|_| matches!(unreadable.part, Part::FileContent | Part::Extents)) {
                Some(digest) => self.add(path, "unreadable", unreadable, digest),
                None => self.add(path, "unreadable", unreadable, inode.kind),
            }
        }
    }

    fn content(&mut self, inode: &Entry, node: u32, path: &TreePath) {
        let found = self.tree.node(node);
        match inode.kind {
            Kind::File if found.value != inode.size => {
                self.add(path, "content", format!("{} bytes", found.value), format!("{} bytes", inode.size));
            }
            Kind::File => {
                // Without a digest, content was not requested.
                if let (Some(digest), Some(expected)) = (self.tree.digest(node), inode.digest)
                    && digest != expected
                {
                    self.add(path, "content", digest, expected);
                }
            }
            Kind::Symlink if self.tree.lacks(node, Part::Target) => {}
            Kind::Symlink => {
                let expected = inode.target.as_deref().unwrap_or_default();
                if self.tree.target(node) != expected {
                    self.add(path, "target", Shown(self.tree.target(node)), Shown(expected));
                }
            }
            Kind::CharDev | Kind::BlockDev if found.value != inode.rdev => {
                self.add(path, "rdev", device(found.value), device(inode.rdev));
            }
            _ => {}
        }
    }

    fn metadata(&mut self, node: u32, wanted: &MetadataWanted, path: &TreePath) {
        let found = self.tree.node(node);
        let wrong = metadata::differences(self.tree, node, wanted);
        if wrong.mode {
            let expected = wanted.mode.unwrap_or_default();
            self.add(path, "mode", format!("{:04o}", found.mode), format!("{expected:04o}"));
        }
        if wrong.owner {
            let (uid, gid) = wanted.owner.unwrap_or_default();
            self.add(path, "owner", format!("{}:{}", found.uid, found.gid), format!("{uid}:{gid}"));
        }
        if wrong.mtime {
            let time = |m: tiu_bundle::index::Mtime| format!("{}.{:09}", m.sec, m.nsec);
            self.add(path, "mtime", time(found.mtime), time(wanted.mtime));
        }
        if wrong.flags {
            self.add(path, "flags", "immutable or append-only", "none");
        }
        if wrong.xattrs {
            let none = super::xattr::XattrSet::default();
            let found = self.tree.xattrs(node).unwrap_or(&none);
            self.add(path, "xattrs", found.shown(&wanted.xattrs), wanted.xattrs.shown(found));
        }
    }

    /// Compares the names of the inode.
    fn names(&mut self, i: u32, node: u32, path: &TreePath) {
        let group = self.joined.group(&i);
        let found = self.tree.node(node);
        let first = group.first().copied().unwrap_or(i);
        if first != i {
            if let EntryPlace::Here(other) = self.joined.place(first)
                && self.tree.node(other).ino != found.ino
            {
                let expected = self.index.entry(first as usize).path;
                self.add(path, "hardlink", "an inode of its own", format!("the inode of {expected}"));
            }
        } else if found.nlink as usize != group.len() {
            let names = |n: usize| format!("{n} name{}", if n == 1 { "" } else { "s" });
            self.add(path, "hardlink", names(found.nlink as usize), names(group.len()));
        }
    }

    fn extra(&mut self) {
        let holding = self.joined.holding(self.tree, self.rules);
        for (i, node) in (0u32..).zip(&self.tree.nodes) {
            if node.entry == NONE
                && matches!(node.ownership, Ownership::Ours | Ownership::Placeholder)
                && holding.get(i as usize) == Some(&NONE)
            {
                self.add(&self.tree.tree_path(i), "extra", node.kind, "nothing");
            }
        }
    }
}

fn device(rdev: u64) -> String {
    format!("{}:{}", rustix::fs::major(rdev), rustix::fs::minor(rdev))
}
