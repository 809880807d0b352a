//! Differences of `/etc`: which of them the merge left, and which were made since.

use super::error::VerifyError;
use super::model::EtcDifference;
use crate::etc::EtcReport;
use crate::etc::state::{self, InodeFacts, States};
use crate::state::ImageState;
use std::collections::BTreeSet;
use tiu_extract::{Difference, Rules};
use tiu_system::path::TreePath;
use tiu_system::progress::Watch;
use tiu_system::tree::Tree;

/// Distinguishes what the merge left in `/etc` from what was changed since. Merged files count too:
/// accounts that became the image's since the merge differ from the merged ones, although not from
/// the image.
pub(super) fn explained(
    state: &ImageState,
    report: Option<&EtcReport>,
    found: Vec<Difference>,
    rules: &Rules,
    watch: Watch,
) -> Result<Vec<EtcDifference>, VerifyError> {
    let found: Vec<Difference> = found.into_iter().filter(|difference| difference.what != "mtime").collect();
    let results =
        || report.into_iter().flat_map(|report| &report.paths).filter(|decided| decided.result.is_some());
    let now = if report.is_some() && (!found.is_empty() || results().next().is_some()) {
        state::states_of_tree(state.tree(), rules, watch)?
    } else {
        States::new()
    };
    let differs: BTreeSet<&TreePath> = found.iter().map(|difference| &*difference.path).collect();
    let changed_back: Vec<EtcDifference> = results()
        .filter(|decided| !differs.contains(&*decided.path))
        .filter_map(|decided| {
            let inode = now.get(&decided.path);
            let facts = inode.map(|inode| InodeFacts::from(inode).public());
            let (found, expected) = (facts.as_ref(), decided.result.as_ref());
            let is_same = expected.is_some_and(|expected| expected.describe(inode));
            let shown =
                |facts: Option<&InodeFacts>| facts.map_or("nothing".to_owned(), InodeFacts::to_string);
            (!is_same).then(|| EtcDifference {
                difference: Difference {
                    path: decided.path.clone(),
                    what: "merged",
                    found: shown(found),
                    expected: shown(expected),
                },
                merged: Some(false),
            })
        })
        .collect();
    let explained = |difference: Difference| EtcDifference {
        merged: report.map(|r| r.explains(&difference.path, now.get(&difference.path))),
        difference: without_secret(state.tree(), difference),
    };
    Ok(found.into_iter().map(explained).chain(changed_back).collect())
}

/// Returns a difference of `/etc` without the digest of a file that not everybody can read.
fn without_secret(tree: &Tree, difference: Difference) -> Difference {
    let Difference { path, what, .. } = &difference;
    let mode = tree.stat(path).map_or(0, |stat| stat.st_mode);
    if *what == "content" && mode & 0o004 == 0 {
        Difference { found: "other content".into(), expected: "the image's".into(), ..difference }
    } else {
        difference
    }
}
