//! Files that no image brought, and that an update therefore removes, such as a directory `/data`
//! or a tool that was copied to `/usr/bin`. `/etc` is merged, and the host's paths stay.

use super::preflight::Ready;
use crate::etc::is_etc;
use crate::state::StateError;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use tiu_bundle::index::STATE_DIR;
use tiu_extract::{LostPath, Plan};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::text;

/// The files that no image brought, and that will not be in the new snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// The number of files and directories.
    pub entries: u64,
    /// The size of the files, in bytes.
    pub bytes: u64,
    /// The first few of them, in path order. A directory stands for all that it holds.
    pub first: Vec<ForeignPath>,
    /// True if the base's image is known. Otherwise all that the new image does not have is here.
    #[serde(skip)]
    known: bool,
}

/// A path that no image brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignPath {
    /// The path in the tree.
    pub path: TreePathBuf,
    /// The number of files and directories at and below it.
    pub entries: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

/// Returns what `plan` takes away that no image brought.
pub fn foreign(ready: &Ready, plan: &Plan) -> Result<Foreign, StateError> {
    let index = ready.state.index()?;
    let record = ready.state.record()?;
    let made = record.into_iter().flat_map(|record| &record.files).map(|file| &*file.path);
    let made: HashSet<&TreePath> = made.collect();
    let state = STATE_DIR;
    let is_foreign = |lost: &LostPath| {
        let path = &*lost.path;
        !is_etc(path)
            && !made.contains(path)
            && !path.starts_with(state)
            && index.unwrap_or(&ready.index).find(path).is_none()
    };
    let mut lost = plan.lost_paths();
    lost.retain(is_foreign);
    Ok(Foreign { known: index.is_some(), ..sum(&lost) })
}

/// Counts `lost`, and puts what lies in one lost directory together.
fn sum(lost: &[LostPath]) -> Foreign {
    /// The number of paths that are named.
    const SHOWN: usize = 10;
    let directories: HashSet<&TreePath> =
        lost.iter().filter(|lost| lost.directory).map(|lost| &*lost.path).collect();
    let mut tops: BTreeMap<&TreePath, (u64, u64)> = BTreeMap::new();
    for LostPath { path, size, .. } in lost {
        let lost_above = path.ancestors().skip(1).filter(|above| directories.contains(above));
        let top = lost_above.last().unwrap_or(path);
        let (entries, bytes) = tops.entry(top).or_default();
        *entries += 1;
        *bytes = bytes.saturating_add(*size);
    }
    let path = |(path, (entries, bytes)): (&&TreePath, &(u64, u64))| ForeignPath {
        path: (*path).to_owned(),
        entries: *entries,
        bytes: *bytes,
    };
    Foreign {
        entries: lost.len() as u64,
        bytes: lost.iter().map(|lost| lost.size).fold(0, u64::saturating_add),
        first: tops.iter().take(SHOWN).map(path).collect(),
        known: true,
    }
}

impl Foreign {
    /// Returns what the administrator should know, if there is anything. `base` is the snapshot
    /// that still has it.
    pub fn warning(&self, base: u32) -> Option<String> {
        let shown = self.first.iter().map(|ForeignPath { path, entries, bytes }| match entries {
            1 => format!("/{path} ({})", text::bytes(*bytes)),
            _ => format!("/{path} ({entries} files and directories, {})", text::bytes(*bytes)),
        });
        let shown: Vec<String> = shown.collect();
        let named: u64 = self.first.iter().map(|path| path.entries).sum();
        let more = if named < self.entries { ", ..." } else { "" };
        let which = if self.known { "no image brought" } else { "the image does not have" };
        (self.entries > 0).then(|| {
            format!(
                "what {which} outside of /etc and the host's paths is not in the new snapshot, only in snapshot {base}: \
                 {} files and directories ({}): {}{more}",
                self.entries,
                text::bytes(self.bytes),
                shown.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(path: &str, directory: bool, size: u64) -> LostPath {
        LostPath { path: TreePathBuf::new(path).unwrap(), directory, size }
    }

    #[test]
    fn a_directory_stands_for_all_that_it_holds() {
        let found = sum(&[
            lost("data/db/table", false, 5),
            lost("usr/bin/tool", false, 7),
            lost("data", true, 0),
            lost("data/db", true, 0),
            lost("data2", false, 1),
        ]);
        let path = |path: &'static str, entries, bytes| {
            let path = TreePath::literal(path).to_owned();
            ForeignPath { path, entries, bytes }
        };
        assert_eq!(found.first, [path("data", 3, 5), path("data2", 1, 1), path("usr/bin/tool", 1, 7)]);
        assert_eq!((found.entries, found.bytes), (5, 13));
        assert_eq!(
            found.warning(2).unwrap(),
            "what no image brought outside of /etc and the host's paths is not in the new snapshot, only in snapshot 2: \
             5 files and directories (13 B): /data (3 files and directories, 5 B), /data2 (1 B), /usr/bin/tool (7 B)"
        );
    }

    #[test]
    fn only_the_first_paths_are_named() {
        let many: Vec<LostPath> = (0..20).map(|i| lost(&format!("f{i:02}"), false, 1)).collect();
        let found = sum(&many);
        assert_eq!((found.entries, found.first.len()), (20, 10));
        assert!(found.warning(1).unwrap().ends_with("/f09 (1 B), ..."));
        assert_eq!(sum(&[]).warning(1), None);
    }
}
