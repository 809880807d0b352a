//! SELinux labels of what was made on the host: they are as they were made.

use crate::state::Record;
use tiu_bundle::selinux::LABEL;
use tiu_extract::{Difference, Shown};
use tiu_system::path::TreePathBuf;
use tiu_system::tree::{Tree, TreeError};

/// Returns the labels that differ from those of the record. The index has the labels of the image's
/// files.
pub(super) fn differences(tree: &Tree, record: Option<&Record>) -> Result<Vec<Difference>, TreeError> {
    let mut differences = Vec::new();
    for (path, expected) in record.into_iter().flat_map(|record| &record.labels) {
        let Ok(path) = TreePathBuf::new(path.clone()) else { continue };
        // What is missing is a difference by itself.
        if tree.stat(&path).is_none() {
            continue;
        }
        let found = tree.attribute(&path, LABEL)?;
        let found = found.as_deref().map(|label| label.strip_suffix(b"\0").unwrap_or(label));
        if found != Some(expected.as_bytes()) {
            let show = |label: &[u8]| format!("{LABEL}={}", Shown(label));
            differences.push(Difference {
                path,
                what: "xattrs",
                found: found.map_or("none".to_owned(), show),
                expected: show(expected.as_bytes()),
            });
        }
    }
    Ok(differences)
}
