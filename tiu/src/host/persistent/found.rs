//! Looks up what a host has at paths that could be persistent: mounts, nested subvolumes, and
//! content of the snapshot itself.

use super::decide::DirectoryContent;
use super::error::PersistentError;
use crate::etc::ETC;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tiu_bundle::index::Kind;
use tiu_bundle::places;
use tiu_bundle::policy::check_persistent;
use tiu_system::fstab::Mount;
use tiu_system::mountinfo::mount_points;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Tree, TreeError};

/// The depth to which directories are searched for files.
const DEPTH: u32 = 100;

/// Returns the content of `tree` at `path`. A directory that cannot be read counts as holding
/// something.
pub fn content(tree: &Tree, path: &TreePath) -> DirectoryContent {
    let mut from_the_top: Vec<&TreePath> = path.ancestors().filter(|above| !above.is_root()).collect();
    from_the_top.reverse();
    for at in from_the_top {
        match tree.stat(at).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            None => return DirectoryContent::Nothing,
            Some(FileType::Directory) => {}
            Some(other) => return DirectoryContent::Other { at: at.to_owned(), kind: kind(other) },
        }
    }
    match tree.directory(path).map(|fd| holds_any(&fd, 0)) {
        Ok(false) => DirectoryContent::Empty,
        _ => DirectoryContent::Holds,
    }
}

fn kind(found: FileType) -> Kind {
    match found {
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::CharDev,
        FileType::BlockDevice => Kind::BlockDev,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        _ => Kind::File,
    }
}

/// Returns the paths below `root` at which something is mounted, from the text of
/// `/proc/self/mountinfo` (proc(5)): those that an image may declare as persistent and that
/// `mounts` (the host's fstab) does not name. Mounts over the image's own directories are temporary
/// and do not count.
pub fn mounted(mountinfo: &str, root: &Path, mounts: &[Mount]) -> Vec<TreePathBuf> {
    let in_fstab = |path: &TreePath| mounts.iter().any(|mount| mount.path().as_deref() == Some(path));
    let declarable = |point: String| {
        let below = Path::new(&point).strip_prefix(root).ok()?.to_str()?.to_owned();
        let path = check_persistent(&[format!("/{below}")]).ok()?.pop()?;
        (!in_fstab(&path)).then_some(path)
    };
    let mut paths: Vec<TreePathBuf> = mount_points(mountinfo).filter_map(declarable).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Checks that no subvolume inside of the snapshot holds something without being a mount point
/// (`mounted`): the new snapshot would have an empty directory there. `/etc` itself can be one: it
/// is copied with the snapshot, but not the subvolumes in it.
pub fn check_nested(tree: &Tree, nested: &[PathBuf], mounted: &[TreePathBuf]) -> Result<(), PersistentError> {
    let stranded = |path: &&PathBuf| {
        let Ok(path) = TreePath::new(path.as_os_str().as_bytes()) else { return true };
        // A mount over /etc is its own content again, or that of an overlay, which is refused.
        let elsewhere = mounted.iter().any(|mount| **mount != *ETC && path.starts_with(mount));
        let empty = || matches!(content(tree, path), DirectoryContent::Empty | DirectoryContent::Nothing);
        // A new snapshot gets a copy of /etc itself, but not of what is inside it.
        path != ETC && !places::is_fleeting(path) && !elsewhere && !empty()
    };
    match nested.iter().find(stranded) {
        Some(path) => Err(PersistentError::Nested { path: path.clone() }),
        None => Ok(()),
    }
}

/// Returns the directories that are the host's on every host and hold files of the snapshot,
/// because nothing is mounted there.
pub fn data_in_snapshot(tree: &Tree, mounted: &[TreePathBuf]) -> Result<Vec<&'static TreePath>, TreeError> {
    let apart = |path: &TreePath| mounted.iter().any(|mount| path.starts_with(mount));
    let mut paths = Vec::new();
    for path in places::host_data().filter(|path| !apart(path)) {
        if matches!(content(tree, path), DirectoryContent::Holds) && holds_any(tree.directory(path)?, DEPTH) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Returns whether the directory holds anything. With `depth`, directories down to that depth do
/// not count.
fn holds_any(directory: impl AsFd, depth: u32) -> bool {
    let Ok(entries) = Dir::read_from(&directory) else { return true };
    for entry in entries {
        let Ok(entry) = entry else { return true };
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        if depth == 0 || entry.file_type() != FileType::Directory {
            return true;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&directory, entry.file_name(), flags, Mode::empty()) {
            Ok(inner) if !holds_any(&inner, depth - 1) => {}
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tiu_system::fstab;

    #[test]
    fn the_content_of_a_tree() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("empty")).unwrap();
        fs::create_dir_all(dir.path().join("full/x")).unwrap();
        symlink("full", dir.path().join("link")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let other =
            |at: &'static str, kind| DirectoryContent::Other { at: TreePath::literal(at).to_owned(), kind };
        for (path, expected) in [
            ("nothing", DirectoryContent::Nothing),
            ("nothing/x", DirectoryContent::Nothing),
            ("empty", DirectoryContent::Empty),
            ("full", DirectoryContent::Holds),
            ("full/x", DirectoryContent::Empty),
            ("link", other("link", Kind::Symlink)),
            ("file", other("file", Kind::File)),
            // Links are not followed.
            ("link/x", other("link", Kind::Symlink)),
        ] {
            assert_eq!(content(&tree, TreePath::literal(path)), expected, "{path}");
        }
    }

    #[test]
    fn mounts_that_fstab_does_not_name() {
        let info = "36 35 98:0 /x /h/data rw - btrfs a rw\n37 35 98:0 / /h/in\\040fstab rw - btrfs a rw\n38 35 98:0 / /h/usr/share rw - x a rw\n\
                    39 35 98:0 / /h rw - btrfs a rw\n40 35 98:0 / /elsewhere/data2 rw - x a rw\n41 35 0:1 / /h/a\\040b/c rw - x a rw\n42 1 0:1 / /h/proc rw - x a rw\n\
                    43 1 0:1 / /h/data rw - x a rw\nshort\n";
        let mounts = fstab::parse("U /in\\040fstab btrfs x 0 0");
        assert_eq!(
            mounted(info, Path::new("/h"), &mounts),
            ["a b/c", "data"].map(|path| TreePath::literal(path).to_owned())
        );
    }

    #[test]
    fn data_in_the_snapshot_is_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/local/bin")).unwrap();
        fs::create_dir_all(dir.path().join("srv/www")).unwrap();
        fs::write(dir.path().join("srv/www/index"), "").unwrap();
        fs::create_dir_all(dir.path().join("home/user")).unwrap();
        symlink("x", dir.path().join("home/user/link")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let path = TreePath::literal;
        assert_eq!(data_in_snapshot(&tree, &[]).unwrap(), [path("home"), path("srv")]);
        assert_eq!(data_in_snapshot(&tree, &[path("home").to_owned()]).unwrap(), [path("srv")]);
    }
}
