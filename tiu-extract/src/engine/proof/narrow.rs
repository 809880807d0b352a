//! Finds what has to be looked at.

use super::unproved::{Proof, Unproved};
use crate::engine::beneath;
use crate::engine::rules::{Lookup, Rules};
use crate::engine::scope::{Scope, ancestors};
use crate::engine::xattr::XattrSet;
use rustix::fs::OFlags;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::BorrowedFd;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Entry, Index, Kind, STATE_DIR};
use tiu_system::btrfs::Subvolume;
use tiu_system::path::TreePath;

/// The part of a tree that has to be looked at, and the part of the index that is about it.
pub(crate) struct Narrowed {
    pub scope: Scope,
    pub index: Index,
    /// The number of entries that are proved to be right.
    pub proved: u64,
}

/// Finds the paths in `target` that may differ from `index`. Content of up to `inline` bytes is not
/// worth a search for equal content.
pub(crate) fn narrow(
    index: &Index,
    target: BorrowedFd,
    rules: &Rules,
    proof: &Proof,
    inline: u64,
) -> Result<Narrowed, Unproved> {
    if !rules.owner || !rules.remove {
        return Err(Unproved::new("owners or further names are left as they are"));
    }
    let mut narrowing = Narrowing {
        index,
        target,
        proof,
        outside: rules.host_paths.iter().map(|path| path.as_bytes()).collect(),
        scope: Scope::default(),
    };
    narrowing.unproved(rules);
    narrowing.changes()?;
    narrowing.listed();
    narrowing.owners(rules);
    narrowing.differences(inline);
    narrowing.hard_links();
    narrowing.finish()
}

/// Returns the numbers of the inodes in `target` that changed since its subvolume was made, as far
/// as the changes are on the disk.
pub(crate) fn changes_of_subvolume(target: BorrowedFd) -> Result<BTreeSet<u64>, Unproved> {
    let subvolume = open(target)?;
    let created = subvolume.facts().map_err(Unproved::new)?.created;
    Ok(subvolume.changes_since(created).map_err(Unproved::new)?.inodes)
}

fn open(target: BorrowedFd<'_>) -> Result<Subvolume<'_>, Unproved> {
    let subvolume = Subvolume::open(target).map_err(Unproved::new)?;
    subvolume.ok_or_else(|| Unproved::new("the target is not a btrfs subvolume"))
}

struct Narrowing<'a> {
    index: &'a Index,
    target: BorrowedFd<'a>,
    proof: &'a Proof<'a>,
    /// The host's paths.
    outside: HashSet<&'a [u8]>,
    scope: Scope,
}

impl Narrowing<'_> {
    /// Adds what was not compared, and what is not compared now: whether it exists says what the
    /// time of its directory means.
    fn unproved(&mut self, rules: &Rules) {
        for path in self.proof.unproved.iter().chain(&rules.subvolumes) {
            self.scope.add_whole(path.as_bytes());
        }
        for path in rules.host_paths.iter().chain(&rules.keep) {
            self.scope.add(path.as_bytes());
        }
        self.scope.add(STATE_DIR.as_bytes());
    }

    /// Adds what changed since.
    fn changes(&mut self) -> Result<(), Unproved> {
        let subvolume = open(self.target)?;
        // A search finds what is in the tree, and changes are in memory first.
        subvolume.sync().map_err(Unproved::new)?;
        let changes = subvolume.changes_since(self.proof.transaction).map_err(Unproved::new)?;
        let mut names = subvolume.names();
        for inode in &changes.inodes {
            for path in names.paths(*inode).map_err(Unproved::new)? {
                if !self.is_outside(&path) {
                    self.scope.add(&path);
                    self.scope.listed.insert(path.clone());
                    self.scope.changed.insert(path);
                }
            }
        }
        for new in &changes.names {
            let Some(directory) = names.directory(new.directory).map_err(Unproved::new)? else { continue };
            let path = if directory.is_empty() {
                new.name.clone()
            } else {
                [&directory, &b"/"[..], &new.name].concat()
            };
            if !self.is_outside(&path) {
                // Below a name that is new, everything may have been elsewhere before.
                self.scope.add_whole(&path);
            }
        }
        Ok(())
    }

    /// Returns true for the host's paths and what lies in the client's own directory.
    fn is_outside(&self, path: &[u8]) -> bool {
        let is_state = |above: &[u8]| above == STATE_DIR.as_bytes();
        ancestors(path).any(|above| self.outside.contains(above)) || ancestors(path).skip(1).any(is_state)
    }

    /// Adds what the index has in the directories that changed. Where one of its directories is
    /// gone, all that was in there is.
    fn listed(&mut self) {
        let listed: Vec<Vec<u8>> = self.scope.listed.iter().cloned().collect();
        let listed = listed.iter().filter_map(|path| TreePath::new(path).ok());
        for i in listed.flat_map(|path| self.index.children(path)) {
            let entry = self.index.entry(i);
            let path = entry.path.as_bytes();
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            if entry.kind == Kind::Dir && beneath::open(self.target, path, flags).is_err() {
                self.scope.add_whole(path);
            } else {
                self.scope.add(path);
            }
        }
    }

    /// Adds inodes whose owner is another number now, or one that their ACL names.
    fn owners(&mut self, rules: &Rules) {
        let (uids, gids) = (self.proof.uids, self.proof.gids);
        if (uids, gids) == (&rules.uids, &rules.gids) {
            return;
        }
        let before = Rules { uids: uids.clone(), gids: gids.clone(), ..rules.clone() };
        let (before, now) = (Lookup::new(&before), Lookup::new(rules));
        let differs = |entry: &Entry| {
            before.uid(entry.uid) != now.uid(entry.uid)
                || before.gid(entry.gid) != now.gid(entry.gid)
                || XattrSet::from_entry(entry, &before) != XattrSet::from_entry(entry, &now)
        };
        for entry in self.index.iter().filter(differs) {
            self.scope.add(entry.path.as_bytes());
        }
    }

    /// Adds the paths at which the indexes differ, and files that have the content of new ones.
    fn differences(&mut self, inline: u64) {
        let old_index = self.proof.index;
        let mut wanted: HashSet<Digest> = HashSet::new();
        for (old, new) in old_index.differing(self.index) {
            for entry in old.iter().chain(&new) {
                self.scope.add(entry.path.as_bytes());
            }
            let old_digest = old.and_then(|old| old.digest);
            if let Some(new) = new
                && new.kind == Kind::File
                && new.size > inline
                && new.digest != old_digest
            {
                wanted.extend(new.digest);
            }
        }
        if wanted.is_empty() {
            return;
        }
        let mut found: HashSet<Digest> = HashSet::new();
        for i in old_index.with_digests(|digest| wanted.contains(digest)) {
            let entry = old_index.entry(i);
            let path = entry.path.as_bytes();
            let is_new = entry.digest.is_some_and(|digest| !found.contains(&digest));
            if is_new && entry.kind == Kind::File && self.scope.is_proved(path) && !self.is_outside(path) {
                self.scope.add(path);
                found.extend(entry.digest);
            }
        }
    }

    /// Adds the other names of inodes of which one name is looked at.
    fn hard_links(&mut self) {
        let mut groups: HashMap<(bool, Vec<u8>), Vec<Vec<u8>>> = HashMap::new();
        for (is_new, index) in [(false, self.proof.index), (true, self.index)] {
            for entry in index.hard_links() {
                let Some(first) = &entry.link else { continue };
                let first = first.as_bytes().to_vec();
                let names = groups.entry((is_new, first.clone())).or_insert_with(|| vec![first]);
                names.push(entry.path.as_bytes().to_vec());
            }
        }
        let mut groups: Vec<Vec<Vec<u8>>> = groups.into_values().collect();
        loop {
            let before = groups.len();
            groups.retain(|names| {
                let looked_at = names.iter().any(|name| self.scope.has(name));
                if looked_at {
                    names.iter().for_each(|name| _ = self.scope.add(name));
                }
                !looked_at
            });
            if groups.len() == before {
                return;
            }
        }
    }

    /// Takes the part of the index that is looked at.
    fn finish(self) -> Result<Narrowed, Unproved> {
        let Narrowing { index, scope, outside, .. } = self;
        let below = |path: &[u8]| TreePath::new(path).map_or(0..0, |path| index.range_below(path));
        let single = |path: &[u8]| index.find(TreePath::new(path).ok()?);
        let mut numbers: BTreeSet<usize> = scope.paths().filter_map(single).collect();
        numbers.extend(scope.wholes().flat_map(below));
        let of_host = outside.iter().flat_map(|path| single(path).into_iter().chain(below(path)));
        let proved = index.len() - numbers.iter().copied().chain(of_host).collect::<BTreeSet<_>>().len();
        let part = index.part(numbers).map_err(Unproved::new)?;
        Ok(Narrowed { scope, index: part, proved: proved as u64 })
    }
}
