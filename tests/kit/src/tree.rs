//! Small root trees that have what a system has, so that a test of the whole takes a second.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
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

/// A system of `version`: os-release, accounts, a kernel, a dracut that writes an initrd, and some files of every size class.
///
/// Between two versions some files change wholly, one changes in the middle, one goes, one comes.
pub fn small_system(root: &Path, version: u32) {
    for dir in [
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "var",
        "home",
        "root",
        "opt",
        "srv",
        "usr/local",
        "boot",
        ".snapshots",
    ] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    file(
        root,
        "usr/lib/os-release",
        format!("ID=testos\nNAME=\"Test OS\"\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"Test OS {version}\"\n"),
    );
    fs::create_dir_all(root.join("etc")).unwrap();
    symlink("../usr/lib/os-release", root.join("etc/os-release")).unwrap();
    for name in ["bin", "sbin", "lib"] {
        fs::create_dir_all(root.join("usr").join(name)).unwrap();
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    file(root, "etc/group", "root:x:0:\n");
    for (name, line) in [("shadow", "root:!*:19000::::::\n"), ("gshadow", "root:*::\n")] {
        let path = format!("etc/{name}");
        file(root, &path, line);
        fs::set_permissions(root.join(path), PermissionsExt::from_mode(0o640)).unwrap();
    }
    file(root, "etc/default/app", format!("LEVEL={version}\n"));
    file(root, "etc/app.conf", "colour=blue\n");
    file(
        root,
        format!("usr/lib/modules/6.1.{version}-test/vmlinuz").as_str(),
        noise(u64::from(version), 40_000),
    );
    file(root, "usr/share/same", noise(100, 300_000));
    file(root, "usr/share/changed", noise(200 + u64::from(version), 20_000));
    let mut partly = noise(300, 600_000);
    partly[300_000..300_100].copy_from_slice(&noise(400 + u64::from(version), 100));
    file(root, "usr/share/partly", partly);
    file(root, format!("usr/share/only-{version}").as_str(), "here");
    for (name, size) in [("empty", 0), ("one", 1), ("4095", 4095), ("4096", 4096), ("4097", 4097)] {
        file(root, format!("usr/share/size-{name}").as_str(), noise(500, size));
    }
    fs::hard_link(root.join("usr/share/same"), root.join("usr/share/same-again")).unwrap();
    symlink("same", root.join("usr/share/link")).unwrap();
}

/// Everything below `root` with its inode, metadata, time of change and content: equal before and after means that nothing was touched.
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
            () if kind.is_file() => Digest::of(&fs::read(&path).unwrap()).to_string(),
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

/// [`state`] without directories, whose times change when something is made in them and removed again.
pub fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut state = state(root);
    state.retain(|_, text| !text.ends_with("directory"));
    state
}
