//! The record of the files that were made on the host when a snapshot was filled.
//!
//! An initrd that dracut makes differs from host to host, so no image can sign it. Its digest is
//! kept here, so that `tiu verify` can still detect damage. It cannot detect malice: whoever can
//! change the file can change the record. The record also has the numbers of owners that were
//! mapped, without which the index could not be compared again.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io;
use tiu_bundle::content_digest::digest_reader;
pub use tiu_bundle::places::RECORD_PATH;
use tiu_bundle::policy::{PersistentListError, check_persistent};
use tiu_system::hints;
use tiu_system::path::{TreePath, TreePathBuf, plain};
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};
use tiu_system::versioned;

/// Version of the format.
const VERSION: u32 = 1;

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The files that were made on the host.
    pub files: Vec<Generated>,
    /// User numbers of the image that were mapped, to the host's.
    pub uids: BTreeMap<u32, u32>,
    /// Group numbers of the image that were mapped, to the host's.
    pub gids: BTreeMap<u32, u32>,
    /// Persistent paths: their content is not part of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "plain::list")]
    pub persistent: Vec<TreePathBuf>,
    /// The findings in the initrd, if the snapshot has one that tiu knows of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initrd: Option<InitrdRecord>,
    /// SELinux labels of the files above and of the client's own, by path in the snapshot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The findings in an initrd when the snapshot was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitrdRecord {
    /// Its path in the snapshot.
    #[serde(with = "plain")]
    pub path: TreePathBuf,
    /// True if it was possible to say what it contains.
    pub judged: bool,
    /// The complaints of the program that made it, and the parts that it lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A file or link that was made on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Path in the snapshot.
    #[serde(with = "plain")]
    pub path: TreePathBuf,
    /// Its content.
    #[serde(flatten)]
    pub what: GeneratedContent,
}

/// The content of a file or link that was made on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratedContent {
    /// The content digest of a regular file.
    Digest(String),
    /// The target of a symlink.
    Target(String),
}

/// A record that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum RecordError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("{RECORD_PATH} is damaged: {0}")]
    Damaged(serde_json::Error),
    /// It names a file that tiu does not make.
    #[error("{RECORD_PATH} says that {path:?} was made on the host, but tiu does not make such a file")]
    Unexpected { path: String },
    /// It calls a path persistent that cannot be.
    #[error("{RECORD_PATH}: persistent: {0}")]
    Persistent(PersistentListError),
    /// A newer tiu wrote it.
    #[error("{RECORD_PATH} has format {found}, this tiu reads up to {VERSION}")]
    Future { found: u32 },
}

hints! { RecordError {
    forward Tree;
    Damaged(_) | Unexpected { .. } | Persistent(_) =>
        "the snapshot was changed after it was made: go back to another one (tiu list)",
    Future { .. } => "use the tiu of that snapshot or a newer one",
} }

impl Record {
    /// Returns a record with the numbers that were mapped.
    pub fn new(uids: &HashMap<u32, u32>, gids: &HashMap<u32, u32>) -> Self {
        let sorted = |map: &HashMap<u32, u32>| map.iter().map(|(k, v)| (*k, *v)).collect();
        Record {
            version: VERSION,
            files: Vec::new(),
            uids: sorted(uids),
            gids: sorted(gids),
            persistent: Vec::new(),
            initrd: None,
            labels: BTreeMap::new(),
        }
    }

    /// Adds what `path` is now: a regular file or a symlink.
    pub fn add(&mut self, tree: &Tree, path: impl AsRef<[u8]>) -> Result<(), TreeError> {
        let path = tree.inside(&path)?;
        let what = match content_at(tree, path)? {
            Some(what) => what,
            None => {
                let source = io::Error::other("neither a regular file nor a symlink");
                return Err(TreeError { path: tree.path().join(path), source });
            }
        };
        self.files.push(Generated { path: path.to_owned(), what });
        Ok(())
    }

    /// Reads the record in `tree`. Returns `None` when there is none.
    pub fn read(tree: &Tree) -> Result<Option<Self>, RecordError> {
        let Some(bytes) = tree.read(RECORD_PATH, MAX_TEXT)? else { return Ok(None) };
        let record: Record = versioned::from_json(&bytes, VERSION)
            .map_err(|e| e.map(RecordError::Damaged, |found| RecordError::Future { found }))?;
        // A record that names what is the image's was changed to hide it from a comparison.
        for path in &record.persistent {
            let text = format!("/{}", path.to_str().unwrap_or_default());
            check_persistent(&[text]).map_err(RecordError::Persistent)?;
        }
        Ok(Some(record))
    }

    /// Writes the record into `tree`.
    pub fn write(&self, tree: &Tree) -> Result<(), RecordError> {
        let text = serde_json::to_vec_pretty(self).map_err(RecordError::Damaged)?;
        Ok(tree.write_private(RECORD_PATH, &text[..])?)
    }
}

impl Generated {
    /// Returns what its path is now, if that differs.
    pub fn difference(&self, tree: &Tree) -> Result<Option<String>, TreeError> {
        Ok(match content_at(tree, &self.path)? {
            Some(found) if found == self.what => None,
            Some(found) => Some(found.to_string()),
            None => Some("nothing".into()),
        })
    }
}

impl std::fmt::Display for GeneratedContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GeneratedContent::Digest(text) | GeneratedContent::Target(text) => f.write_str(text),
        }
    }
}

/// Returns what a regular file or a symlink at `path` holds.
fn content_at(tree: &Tree, path: &TreePath) -> Result<Option<GeneratedContent>, TreeError> {
    if let Some(target) = tree.link(path) {
        return Ok(Some(GeneratedContent::Target(String::from_utf8_lossy(&target).into_owned())));
    }
    let Some(file) = tree.file(path)? else { return Ok(None) };
    let (digest, _) =
        digest_reader(file).map_err(|source| TreeError { path: tree.path().join(path), source })?;
    Ok(Some(GeneratedContent::Digest(digest.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib/sysimage/tiu")).unwrap();
        std::fs::write(dir.path().join("initrd-1"), "content").unwrap();
        std::os::unix::fs::symlink("initrd-1", dir.path().join("initrd")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        assert_eq!(Record::read(&tree).unwrap(), None);
        let path = TreePath::literal;
        let mut record = Record::new(&HashMap::from([(104, 105)]), &HashMap::new());
        record.add(&tree, path("initrd-1")).unwrap();
        record.add(&tree, path("initrd")).unwrap();
        let warnings = vec!["no module".to_owned()];
        record.initrd = Some(InitrdRecord { path: path("initrd-1").to_owned(), judged: true, warnings });
        assert!(record.add(&tree, path("usr")).is_err());
        record.write(&tree).unwrap();
        let read = Record::read(&tree).unwrap().unwrap();
        assert_eq!(read, record);
        assert!(read.files.iter().all(|file| file.difference(&tree).unwrap().is_none()));
        std::fs::write(dir.path().join("initrd-1"), "changed").unwrap();
        std::fs::remove_file(dir.path().join("initrd")).unwrap();
        assert!(read.files.iter().all(|file| file.difference(&tree).unwrap().is_some()));
    }

    #[test]
    fn a_damaged_or_future_record_is_an_error_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib/sysimage/tiu")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let read = |text: &str| {
            std::fs::write(dir.path().join(RECORD_PATH), text).unwrap();
            Record::read(&tree).unwrap_err()
        };
        assert!(matches!(read("{"), RecordError::Damaged(_)));
        assert!(matches!(read("{\"version\": 1}"), RecordError::Damaged(_)));
        let hiding =
            "{\"version\": 1, \"files\": [], \"uids\": {}, \"gids\": {}, \"persistent\": [\"usr/bin\"]}";
        assert!(matches!(read(hiding), RecordError::Persistent(_)));
        assert!(matches!(read("{\"version\": 2, \"new\": []}"), RecordError::Future { found: 2 }));
    }
}
