//! The paths that are compared, and those that are not: with whose word for it.
//!
//! The snapshot's own statements (its fstab, its record, its tiu.yaml) never keep a path in `/usr`,
//! `/boot`, `/bin`, `/sbin` or `/lib*` from being compared.

use crate::etc::{ETC, is_etc};
use crate::state::{ImageState, Record};
use serde::Serialize;
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::places::{self, Owner};
use tiu_extract::Difference;
use tiu_system::fstab::Mount;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::Tree;

/// A path that was not compared, with all below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCompared {
    /// The path.
    pub path: TreePathBuf,
    /// The party that says that it is not the image's.
    pub reason: NotComparedReason,
    /// The number of entries of the index below the path.
    pub entries: usize,
}

/// The party that says that a path is not the image's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotComparedReason {
    /// The table of a host's directories: it is the host's on each host.
    Table,
    /// The caller accepted it.
    Accepted,
    /// The snapshot: its fstab, its configuration, or its record.
    Snapshot,
    /// It is a subvolume of its own.
    Subvolume,
    /// The caller's configuration: the host made it, in place of the image's.
    Made,
}

/// The paths that are not compared.
pub(super) struct Scope {
    /// For the engine.
    pub host_paths: Vec<TreePathBuf>,
    /// Those of them that hold something.
    pub not_compared: Vec<NotCompared>,
    /// Mounts and other things that hide a part of the system.
    pub differences: Vec<Difference>,
    /// The number of entries of the index that are compared.
    pub compared: usize,
}

impl Scope {
    /// Decides what of the snapshot is compared. `claimed` are paths of the snapshot's own
    /// configuration, `accepted` those that the caller accepts.
    pub fn new(
        state: &ImageState,
        index: &Index,
        record: Option<&Record>,
        claimed: &[TreePathBuf],
        accepted: &[TreePathBuf],
    ) -> Result<Self, crate::state::StateError> {
        let tree = state.tree();
        let mut paths: Vec<(TreePathBuf, NotComparedReason)> = Vec::new();
        paths.extend(places::never_installed().map(|path| (path.to_owned(), NotComparedReason::Table)));
        paths.extend(accepted.iter().map(|path| (path.clone(), NotComparedReason::Accepted)));
        let is_accepted = |path: &TreePath| accepted.iter().any(|accepted| path.starts_with(accepted));
        let mut differences = Vec::new();
        // What fstab says is a file of /etc: one that cannot be read claims nothing.
        for mount in state.mounts().unwrap_or_default() {
            let Some(path) = mount.path() else { continue };
            if is_etc(&path) || is_accepted(&path) {
                continue;
            }
            if is_in_image(&path, index) {
                differences.push(hidden(&path, mount));
            } else {
                paths.push((path, NotComparedReason::Snapshot));
            }
        }
        let persistent = record.map_or(&[][..], |record| &record.persistent);
        let claims = persistent.iter().chain(claimed).cloned();
        paths.extend(
            claims.filter(|path| !is_in_image(path, index)).map(|path| (path, NotComparedReason::Snapshot)),
        );
        for path in state.nested()? {
            let path = path.as_os_str().as_encoded_bytes();
            let Ok(path) = TreePathBuf::new(path.to_vec()) else { continue };
            if *path == *ETC {
                continue;
            }
            if is_in_image(&path, index) && !is_accepted(&path) {
                let expected =
                    index.find(&path).map_or("nothing".into(), |i| index.entry(i).kind.to_string());
                let found = "a subvolume of its own, not compared".to_owned();
                differences.push(Difference { path: path.clone(), what: "subvolume", found, expected });
            }
            paths.push((path, NotComparedReason::Subvolume));
        }
        paths.sort();
        paths.dedup_by(|b, a| a.0 == b.0);
        let mut outermost: Vec<(TreePathBuf, NotComparedReason)> = Vec::new();
        for (path, reason) in paths {
            if !outermost.iter().any(|(outer, _)| path.starts_with(outer)) {
                outermost.push((path, reason));
            }
        }
        let mut entries = vec![0; outermost.len()];
        let is_at = |at: usize, path: &TreePath| outermost.get(at).is_some_and(|(outer, _)| **outer == *path);
        let mut compared = 0;
        for entry in index.iter() {
            match outermost.iter().position(|(outer, _)| entry.path.starts_with(outer)) {
                None => compared += 1,
                // A mount point is a directory, and nothing else of it is the image's.
                Some(at) if entry.kind == Kind::Dir && is_at(at, &entry.path) => {}
                Some(at) => entries.iter_mut().skip(at).take(1).for_each(|count: &mut usize| *count += 1),
            }
        }
        let not_compared = outermost.iter().zip(entries).filter_map(|((path, reason), entries)| {
            let holds = *reason == NotComparedReason::Subvolume || entries > 0 || holds_something(tree, path);
            holds.then(|| NotCompared { path: path.clone(), reason: *reason, entries })
        });
        let not_compared = not_compared.collect();
        let host_paths = outermost.into_iter().map(|(path, _)| path).collect();
        Ok(Scope { host_paths, not_compared, differences, compared })
    }
}

fn hidden(path: &TreePath, mount: &Mount) -> Difference {
    let found = format!("{} is mounted there, says /etc/fstab", mount.source);
    Difference { path: path.to_owned(), what: "mount", found, expected: "nothing".into() }
}

/// Returns whether `path` lies in a directory of the image, by the table of a host's directories.
/// GRUB's modules are the boot loader's if the image has none there.
fn is_in_image(path: &TreePath, index: &Index) -> bool {
    let below = |entry: tiu_bundle::index::Entry| entry.path.starts_with(path) && *entry.path != *path;
    let is_free = places::is_grub_modules(path) && !index.iter().any(below);
    !is_free && places::innermost(path).is_some_and(|place| place.owner == Owner::Image)
}

/// Returns whether anything but an empty directory is at `path`.
fn holds_something(tree: &Tree, path: &TreePath) -> bool {
    if tree.stat(path).is_none() {
        return false;
    }
    let Ok(directory) = tree.directory(path) else { return true };
    let Ok(mut entries) = rustix::fs::Dir::read_from(&directory) else { return true };
    entries.any(|entry| entry.is_ok_and(|entry| !matches!(entry.file_name().to_bytes(), b"." | b"..")))
}
