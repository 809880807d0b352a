//! The paths of the finished snapshot that are labelled by the policy.

use super::super::context::Context;
use super::super::error::ApplyError;
use super::super::fill::Filled;
use super::super::preflight::Ready;
use crate::accounts::AccountFile;
use crate::etc::state::{self, ReadError};
use crate::state::{RECORD_PATH, Record};
use rustix::fs::{Dir, FileType};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
use tiu_bundle::index::Entry;
use tiu_bundle::places::{PRISTINE_ETC_PATH, STATE_DIR};
use tiu_bundle::selinux::{LABEL, label_of, label_type, needs_label};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};

/// A path, its inode and its label.
pub(super) struct Target {
    pub path: TreePathBuf,
    pub kind: FileType,
    pub label: Option<Vec<u8>>,
}

/// The paths that are labelled.
pub(super) struct Targets {
    /// Those that the client itself made: its own files, the initrd. Each must get a label.
    pub own: BTreeMap<TreePathBuf, FileType>,
    /// Those that are the host's in `/etc`, the mount points of its directories, and those that the index
    /// has without a label. A policy can have no label for it.
    pub others: Vec<Target>,
}

/// Returns the paths of the filled draft that do not have their label from the index.
pub(super) fn targets(
    context: &Context,
    ready: &Ready,
    filled: &Filled,
    record: &Record,
    tree: &Tree,
) -> Result<Targets, ApplyError> {
    // It is written last.
    let mut own = BTreeMap::from([(RECORD_PATH.to_owned(), FileType::RegularFile)]);
    let made = record.files.iter().map(|file| file.path.clone());
    for path in made.chain(own_files(tree)?) {
        if let Some(stat) = tree.stat(&path) {
            own.insert(path, FileType::from_raw_mode(stat.st_mode));
        }
    }
    let mut others = of_etc(context, ready, filled, tree)?;
    // Something is mounted on the host's directories, which takes a label too; they are not changed
    // otherwise.
    let without = |entry: &Entry| label_of(entry).is_none() || !needs_label(&entry.path);
    for entry in ready.index.iter().filter(|entry| entry.link.is_none() && without(entry)) {
        let path = entry.path.into_owned();
        if path.starts_with(TreePath::literal("etc")) || own.contains_key(&path) {
            continue;
        }
        // A path of the host's can lead through what is the host's.
        let Some(stat) = tree.stat(&path) else { continue };
        let Ok(label) = tree.attribute(&path, LABEL) else { continue };
        if label.as_deref().and_then(label_type).is_none() {
            others.push(Target { path, kind: FileType::from_raw_mode(stat.st_mode), label: None });
        }
    }
    Ok(Targets { own, others })
}

/// Returns the client's own files in the snapshot. The copy of the image's `/etc` has the labels of
/// the index.
fn own_files(tree: &Tree) -> Result<Vec<TreePathBuf>, TreeError> {
    let failed = |e: Errno| TreeError { path: tree.path().join(STATE_DIR), source: e.into() };
    let entries = Dir::read_from(tree.directory(STATE_DIR)?).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if let Ok(path) = STATE_DIR.child(name)
            && !matches!(name, b"." | b"..")
            && *path != *PRISTINE_ETC_PATH
        {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Returns what in `/etc` is not as the index says: what the host keeps, and the merged accounts.
fn of_etc(context: &Context, ready: &Ready, filled: &Filled, tree: &Tree) -> Result<Vec<Target>, ApplyError> {
    let kept: HashSet<&[u8]> = filled.etc.rules.keep.iter().map(|path| path.as_bytes()).collect();
    let states = state::states_of_tree(tree, &filled.etc.rules, context.watch).map_err(|e| match e {
        ReadError::Tree(e) => ApplyError::Tree(e),
        ReadError::Engine(e) => ApplyError::Engine(e),
    })?;
    let mut targets = Vec::new();
    for (path, inode) in states {
        let is_merged = kept.contains(path.as_bytes()) || AccountFile::from_path(&path).is_some();
        let entry = ready.index.find(&path).map(|i| ready.index.entry(i));
        let labelled = entry.is_some_and(|entry| label_of(&ready.index.inode_of(&entry)).is_some());
        if inode.host || (labelled && !is_merged) {
            continue;
        }
        let label =
            inode.xattrs.into_iter().find(|(name, _)| name == LABEL.as_bytes()).map(|(_, label)| label);
        targets.push(Target { kind: FileType::from_raw_mode(inode.kind.type_bits()), path, label });
    }
    Ok(targets)
}
