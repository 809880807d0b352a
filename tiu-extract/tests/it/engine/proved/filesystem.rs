//! Filesystems that change their trees by themselves, or whose administrator does.

use super::cases::three_files;
use super::{Sealed, run, walked};
use crate::engine::model::Model;
use crate::engine::run::apply;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tiu_extract::Rules;
use tiu_system::btrfs::{Changes, Subvolume};
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

/// A sealed subvolume on a filesystem of its own.
fn sealed() -> (LoopBtrfs, PathBuf, Model, Sealed) {
    let fs = LoopBtrfs::new(512);
    let mut model = three_files();
    model.file("large", noise(7, 3 << 20));
    let dir = fs.subvolume("base");
    apply(&model, &dir);
    let sealed = Sealed::new(&model, &dir);
    (fs, dir, model, sealed)
}

fn changes(dir: &Path, sealed: &Sealed) -> Changes {
    let target = File::open(dir).unwrap();
    let subvolume = Subvolume::open(target.as_fd()).unwrap().unwrap();
    subvolume.sync().unwrap();
    subvolume.changes_since(sealed.transaction).unwrap()
}

fn assert_same(dir: &Path, sealed: &Sealed) {
    let found = sealed.checked(&sealed.index, dir).unwrap();
    assert_eq!(found, walked(&sealed.index, dir, &Rules::default()));
}

#[test]
fn balance_scrub_and_a_rescan_of_quotas_change_nothing() {
    let (fs, dir, _, sealed) = sealed();
    let path = fs.path();
    let btrfs = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).chain([path.as_os_str()]).collect();
        run("btrfs", &arguments);
    };
    btrfs(&["balance", "start", "--full-balance"]);
    btrfs(&["scrub", "start", "-B"]);
    btrfs(&["quota", "enable"]);
    btrfs(&["quota", "rescan", "-w"]);
    let found = changes(&dir, &sealed);
    assert_eq!((found.inodes.len(), found.names.len()), (0, 0));
    assert_same(&dir, &sealed);
}

#[test]
fn defragmented_and_deduplicated_files_are_looked_at_and_are_right() {
    let (fs, dir, _, sealed) = sealed();
    run("btrfs", &["filesystem".as_ref(), "defragment".as_ref(), "-f".as_ref(), dir.join("large").as_ref()]);
    // Blocks of another subvolume that are the same.
    let other = fs.subvolume("other").join("file");
    fs::copy(dir.join("a/x/file"), &other).unwrap();
    rustix::fs::syncfs(File::open(&other).unwrap()).unwrap();
    let script = "import fcntl, struct, sys\n\
        source = open(sys.argv[1], 'rb')\n\
        target = open(sys.argv[2], 'r+b')\n\
        request = struct.pack('=QQHHI', 0, 8192, 1, 0, 0) + struct.pack('=qQQiI', target.fileno(), 0, 0, 0, 0)\n\
        done = fcntl.ioctl(source, 0xc0189436, request)\n\
        assert struct.unpack_from('=QQQi', done, 24)[3] == 0, done\n";
    run("python3", &["-c".as_ref(), script.as_ref(), other.as_ref(), dir.join("a/x/file").as_ref()]);
    assert!(!changes(&dir, &sealed).inodes.is_empty());
    assert_same(&dir, &sealed);
    assert_eq!(sealed.checked(&sealed.index, &dir).unwrap(), []);
}

#[test]
fn an_origin_that_changes_after_its_snapshot_was_made() {
    let (fs, dir, _, sealed) = sealed();
    let copy = fs.snapshot(&dir, "copy");
    fs::write(dir.join("b/file"), "other").unwrap();
    assert_eq!(sealed.checked(&sealed.index, &copy).unwrap(), []);
    assert!(!sealed.checked(&sealed.index, &dir).unwrap().is_empty());
    // As a rollback does: a snapshot of the older one becomes what runs, and changes.
    let again = fs.snapshot(&copy, "again");
    fs::remove_file(again.join("a/x/file")).unwrap();
    assert_same(&again, &sealed);
    assert!(!sealed.checked(&sealed.index, &again).unwrap().is_empty());
}

#[test]
fn changes_that_only_the_log_tree_has_after_a_power_cut() {
    let (mut fs, dir, _, sealed) = sealed();
    // Not committed, but in the log: the filesystem does that for fsync(2).
    let file = OpenOptions::new().write(true).open(dir.join("large")).unwrap();
    file.write_all_at(b"changed", 70_000).unwrap();
    file.sync_all().unwrap();
    fs::write(dir.join("b/new"), "new").unwrap();
    File::open(dir.join("b/new")).unwrap().sync_all().unwrap();
    fs::rename(dir.join("a/x/file"), dir.join("a/x/renamed")).unwrap();
    File::open(dir.join("a/x/renamed")).unwrap().sync_all().unwrap();
    let cut = fs.disk().with_extension("cut");
    run("cp", &["--sparse=always".as_ref(), fs.disk().as_ref(), cut.as_ref()]);
    drop(file);
    fs.unmounted(|disk| fs::rename(&cut, disk).unwrap());
    assert!(dir.join("b/new").exists() && dir.join("a/x/renamed").exists(), "the log was replayed");
    let found = sealed.checked(&sealed.index, &dir).unwrap();
    assert_eq!(found, walked(&sealed.index, &dir, &Rules::default()));
    for path in ["large", "b/new", "a/x/file", "a/x/renamed"] {
        assert!(found.iter().any(|difference| difference.path.to_str() == Some(path)), "{path}: {found:?}");
    }
}

#[test]
fn files_without_checksums_are_known() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("base");
    fs::write(dir.join("sum"), "x").unwrap();
    File::create(dir.join("none")).unwrap();
    run("chattr", &["+C".as_ref(), dir.join("none").as_ref()]);
    fs::write(dir.join("none"), noise(1, 5000)).unwrap();
    let target = File::open(&dir).unwrap();
    let subvolume = Subvolume::open(target.as_fd()).unwrap().unwrap();
    subvolume.sync().unwrap();
    let found = subvolume.files_without_checksums().unwrap();
    let mut names = subvolume.names();
    let paths: Vec<Vec<u8>> = found.iter().flat_map(|inode| names.paths(*inode).unwrap()).collect();
    assert_eq!(paths, [b"none".to_vec()]);
    assert_eq!(subvolume.changes_since(0).unwrap().without_checksums, found);
}
