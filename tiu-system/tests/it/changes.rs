//! The changes in a subvolume since a transaction, one kind at a time.

use super::run;
use rustix::fs::{CWD, RenameFlags, Timestamps, XattrFlags};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tiu_system::btrfs::Subvolume;
use tiu_testing::btrfs::LoopBtrfs;

/// A subvolume with a few files, and the last transaction that changed it.
struct Sealed {
    fs: LoopBtrfs,
    dir: PathBuf,
    transaction: u64,
}

impl Sealed {
    fn new() -> Self {
        let fs = LoopBtrfs::new(256);
        let dir = fs.subvolume("base");
        for path in ["a/x/file", "a/y/file", "b/file"] {
            fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
            fs::write(dir.join(path), path.repeat(1000)).unwrap();
        }
        let transaction = synced(&dir, |subvolume| subvolume.facts().unwrap().generation);
        Sealed { fs, dir, transaction }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Returns the paths of the changed inodes, and the new names.
    fn changes(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        changes(&self.dir, self.transaction)
    }
}

fn synced<T>(dir: &Path, look: impl FnOnce(&Subvolume) -> T) -> T {
    let open = File::open(dir).unwrap();
    let subvolume = Subvolume::open(open.as_fd()).unwrap().unwrap();
    subvolume.sync().unwrap();
    look(&subvolume)
}

fn changes(dir: &Path, transaction: u64) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    synced(dir, |subvolume| {
        let found = subvolume.changes_since(transaction).unwrap();
        let mut names = subvolume.names();
        let inodes = found.inodes.iter().flat_map(|inode| names.paths(*inode).unwrap()).map(text).collect();
        let mut finder = subvolume.names();
        let name = |new: &tiu_system::btrfs::NewName| {
            let directory = text(finder.directory(new.directory).unwrap().unwrap());
            format!("{directory}/{}", text(new.name.clone()))
        };
        let new = found.names.iter().map(name).collect();
        (inodes, new)
    })
}

fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<String> {
    paths.map(str::to_owned).into()
}

/// Asserts that `change` of the tree changes these inodes, and no name.
fn changes_inodes<const N: usize>(change: impl FnOnce(&Sealed), paths: [&str; N]) {
    let sealed = Sealed::new();
    assert_eq!(sealed.changes(), (set([]), set([])), "nothing changed yet");
    change(&sealed);
    assert_eq!(sealed.changes(), (set(paths), set([])));
}

fn times(path: &Path) -> Timestamps {
    let stat = path.symlink_metadata().unwrap();
    let time = |sec, nsec| rustix::fs::Timespec { tv_sec: sec, tv_nsec: nsec };
    Timestamps {
        last_access: time(stat.atime(), stat.atime_nsec()),
        last_modification: time(stat.mtime(), stat.mtime_nsec()),
    }
}

#[test]
fn content_of_the_same_size_and_times_is_a_change() {
    changes_inodes(
        |sealed| {
            let path = sealed.path("a/x/file");
            let before = times(&path);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(b"X", 4000).unwrap();
            rustix::fs::futimens(&file, &before).unwrap();
        },
        ["a/x/file"],
    );
}

#[test]
fn metadata_is_a_change() {
    changes_inodes(
        |sealed| {
            fs::set_permissions(sealed.path("a/x/file"), Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::lchown(sealed.path("a/y"), Some(7), None).unwrap();
            let value = XattrFlags::empty();
            rustix::fs::setxattr(sealed.path("b/file"), "trusted.x", b"1", value).unwrap();
            run("chattr", &["+a".as_ref(), sealed.dir.as_ref()]);
            run("chattr", &["-a".as_ref(), sealed.dir.as_ref()]);
        },
        ["a/x/file", "a/y", "b/file", ""],
    );
}

#[test]
fn removal_is_a_change_of_the_directory() {
    changes_inodes(|sealed| fs::remove_file(sealed.path("b/file")).unwrap(), ["b"]);
}

#[test]
fn reading_a_read_only_snapshot_changes_nothing() {
    changes_inodes(
        |sealed| {
            run(
                "btrfs",
                &["property".as_ref(), "set".as_ref(), sealed.dir.as_ref(), "ro".as_ref(), "true".as_ref()],
            );
            fs::read(sealed.path("b/file")).unwrap();
            run(
                "btrfs",
                &["property".as_ref(), "set".as_ref(), sealed.dir.as_ref(), "ro".as_ref(), "false".as_ref()],
            );
        },
        [],
    );
}

#[test]
fn balance_changes_nothing() {
    changes_inodes(
        |sealed| {
            let path = sealed.fs.path();
            run("btrfs", &["balance".as_ref(), "start".as_ref(), "--full-balance".as_ref(), path.as_ref()]);
        },
        [],
    );
}

#[test]
fn exchanged_directories_have_new_names() {
    let sealed = Sealed::new();
    rustix::fs::renameat_with(CWD, sealed.path("a/x"), CWD, sealed.path("a/y"), RenameFlags::EXCHANGE)
        .unwrap();
    assert_eq!(sealed.changes(), (set(["a", "a/x", "a/y"]), set(["a/x", "a/y"])));
}

#[test]
fn a_hard_link_is_a_change_and_a_new_name() {
    let sealed = Sealed::new();
    fs::hard_link(sealed.path("b/file"), sealed.path("a/new")).unwrap();
    assert_eq!(sealed.changes(), (set(["a", "a/new", "b/file"]), set(["a/new"])));
}

#[test]
fn a_new_subvolume_inside_is_a_new_name() {
    let sealed = Sealed::new();
    run("btrfs", &["subvolume".as_ref(), "create".as_ref(), sealed.path("b/sub").as_ref()]);
    assert_eq!(sealed.changes(), (set(["b"]), set(["b/sub"])));
}

#[test]
fn a_snapshot_keeps_the_transactions() {
    let sealed = Sealed::new();
    let copy = sealed.fs.snapshot(&sealed.dir, "copy");
    assert_eq!(changes(&copy, sealed.transaction), (set([]), set([])));
    fs::write(copy.join("b/file"), "new").unwrap();
    assert_eq!(changes(&copy, sealed.transaction), (set(["b/file"]), set([])));
    assert_eq!(sealed.changes(), (set([]), set([])));
}

#[test]
fn the_root_has_the_empty_path_and_a_file_all_its_paths() {
    let sealed = Sealed::new();
    fs::hard_link(sealed.path("b/file"), sealed.path("b/g")).unwrap();
    fs::hard_link(sealed.path("b/file"), sealed.path("a/h")).unwrap();
    let ino = sealed.path("b/file").metadata().unwrap().ino();
    synced(&sealed.dir, |subvolume| {
        let mut names = subvolume.names();
        assert_eq!(names.paths(256).unwrap(), [b"".to_vec()]);
        let mut paths = names.paths(ino).unwrap();
        paths.sort();
        assert_eq!(paths, [b"a/h".to_vec(), b"b/file".to_vec(), b"b/g".to_vec()]);
        assert!(names.paths(1 << 40).unwrap().is_empty(), "an inode that does not exist");
    });
}

#[test]
fn files_without_checksums_are_listed() {
    let sealed = Sealed::new();
    File::create(sealed.path("b/none")).unwrap();
    run("chattr", &["+C".as_ref(), sealed.path("b/none").as_ref()]);
    fs::write(sealed.path("b/none"), [7; 9000]).unwrap();
    let ino = sealed.path("b/none").metadata().unwrap().ino();
    synced(&sealed.dir, |subvolume| {
        assert_eq!(subvolume.files_without_checksums().unwrap(), BTreeSet::from([ino]));
        assert_eq!(
            subvolume.changes_since(sealed.transaction).unwrap().without_checksums,
            BTreeSet::from([ino])
        );
        let later = subvolume.facts().unwrap().generation;
        assert_eq!(subvolume.changes_since(later).unwrap().without_checksums, BTreeSet::new());
    });
}
