//! Subvolumes inside a snapshot: `/etc` on some hosts.

use super::error::{SnapshotError, btrfs};
use super::flags::unlock;
use libbtrfsutil::{DeleteSubvolumeOptions, IterateSubvolume, is_subvolume, set_subvolume_read_only};
use std::path::{Path, PathBuf};

/// Deletes the subvolumes inside the subvolume at `path`, which becomes read-write for that.
/// Returns their number.
pub(crate) fn delete_nested(path: &Path) -> Result<usize, SnapshotError> {
    let nested = nested_subvolumes(path)?;
    if !nested.is_empty() {
        btrfs("changing the flags of", path, set_subvolume_read_only(path, false))?;
        for inner in nested.iter().rev().map(|inner| path.join(inner)) {
            unlock(&inner)?;
            inner.parent().map_or(Ok(()), unlock)?;
            btrfs("deleting", &inner, DeleteSubvolumeOptions::new().delete(&inner))?;
        }
    }
    Ok(nested.len())
}

/// Returns whether `path` exists, is a directory and the root of a subvolume.
pub(crate) fn is_nested_subvolume(path: &Path) -> Result<bool, SnapshotError> {
    // A symlink could lead anywhere.
    let there = path.symlink_metadata().is_ok_and(|m| m.is_dir());
    Ok(there && btrfs("looking at", path, is_subvolume(path))?)
}

/// Returns the paths of the subvolumes inside the subvolume at `path`, relative to it, parents
/// first.
pub fn nested_subvolumes(path: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let found = btrfs("listing the subvolumes in", path, IterateSubvolume::new(path).iter_with_id())?;
    let found: Result<Vec<_>, _> = found.map(|item| item.map(|(inner, _)| inner)).collect();
    btrfs("listing the subvolumes in", path, found)
}
