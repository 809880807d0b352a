//! Small root trees that have what a system has, so that a test of the whole takes a second.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tiu_bundle::content_digest::Digest;

/// Writes a file with its parent directories.
pub fn file(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Writes an executable.
pub fn script(root: &Path, path: &str, content: &str) {
    file(root, path, content);
    fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Bytes that do not compress and differ by `seed`.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(len)
    .collect()
}

/// Everything below `root` with its inode, metadata, time of change and content: equal before and
/// after means that nothing was touched.
pub fn state(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let kind = metadata.file_type();
        let content = match () {
            () if kind.is_dir() => {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                "directory".to_owned()
            }
            () if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
            () if kind.is_file() => Digest::compute(&fs::read(&path).unwrap()).to_string(),
            () => "special".to_owned(),
        };
        let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
        let changed = format!("{seconds}.{nanoseconds:09}");
        let owner = format!("{}:{}", metadata.uid(), metadata.gid());
        let text =
            format!("{:o} {owner} inode {} changed {changed} {content}", metadata.mode(), metadata.ino());
        found.insert(path, text);
    }
    found
}

/// [`state`] without directories, whose times change when something is made in them and removed
/// again.
pub fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut state = state(root);
    state.retain(|_, text| !text.ends_with("directory"));
    state
}
