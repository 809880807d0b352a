//! The persistent paths that an image declares.

use super::error::PersistentError;
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::policy::Policy;
use tiu_system::path::TreePathBuf;

/// Returns the persistent paths of an image's policy. Each is a directory in `index`.
pub fn declared(text: &str, index: &Index) -> Result<Vec<TreePathBuf>, PersistentError> {
    let paths = Policy::parse(text)?.persistent().to_vec();
    for path in &paths {
        let found = index.find(path).map(|i| index.entry(i).kind);
        if found != Some(Kind::Dir) {
            let found = found.map_or("missing".to_owned(), |kind| format!("a {kind}"));
            return Err(PersistentError::NotInImage { path: path.clone(), found });
        }
    }
    Ok(paths)
}
