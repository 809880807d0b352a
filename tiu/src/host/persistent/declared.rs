//! What an image declares.

use super::error::PersistentError;
use crate::etc::lists::read_policy;
use serde::Deserialize;
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::persistent as list;

/// The persistent paths that an image's [`IMAGE_PATH`] declares, without leading slashes; each is a directory in `index`.
pub fn declared(text: &str, index: &Index) -> Result<Vec<String>, PersistentError> {
    #[derive(Default, Deserialize)]
    struct File {
        #[serde(default)]
        persistent: Vec<String>,
    }
    let File { persistent } = read_policy(text)?;
    let paths = list::check(&persistent).map_err(PersistentError::List)?;
    for path in &paths {
        let found = index.find(path.as_bytes()).map(|i| index.entry(i).kind);
        if found != Some(Kind::Dir) {
            let found = found.map_or("missing".to_owned(), |kind| format!("a {kind}"));
            return Err(PersistentError::NotInImage { path: path.clone(), found });
        }
    }
    Ok(paths)
}
