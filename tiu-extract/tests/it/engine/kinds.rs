//! Every kind of inode, every change from one to another, and what is left alone when nothing
//! changed.

use super::model::{Inode, MTIME, Model, NodeKind, at};
use super::run::apply;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tiu_testing::btrfs::LoopBtrfs;

fn every_kind() -> Vec<(&'static str, NodeKind)> {
    vec![
        ("file", NodeKind::File(b"small".to_vec())),
        ("big", NodeKind::File(tiu_testing::tree::noise(1, 300_000))),
        ("empty", NodeKind::File(Vec::new())),
        ("dir", NodeKind::Dir),
        ("symlink", NodeKind::Symlink(b"to/nowhere".to_vec())),
        ("char", NodeKind::CharDev(rustix::fs::makedev(1, 3))),
        ("block", NodeKind::BlockDev(rustix::fs::makedev(7, 300))),
        ("fifo", NodeKind::Fifo),
        ("socket", NodeKind::Socket),
    ]
}

fn of_every_kind() -> Model {
    let mut model = Model::new();
    for (name, what) in every_kind() {
        model.add(name, what);
    }
    model
}

fn ids(dir: &Path, model: &Model) -> BTreeMap<Vec<u8>, (u64, i64, i64)> {
    let stat = |path: &Vec<u8>| at(dir, path).symlink_metadata().unwrap();
    let id = |path: &Vec<u8>| (stat(path).ino(), stat(path).ctime(), stat(path).ctime_nsec());
    model.0.keys().map(|path| (path.clone(), id(path))).collect()
}

#[test]
fn every_kind_into_an_empty_directory_and_nothing_the_second_time() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    for (name, what) in every_kind() {
        model.add(format!("here/{name}"), what);
    }
    model.file("deep/er/and/deeper/file", "x").mode = 0o4755;
    model.dir("sticky").mode = 0o1777;
    model.file(b"new\nline", "a");
    model.file(b"not utf-8 \xff\xfe", "b");
    model.file("-leading dash and ' quotes \"", "c");
    let long = [b'n'; 255];
    model.file(long, "d");
    apply(&model, &dir);
    model.assert_is(&dir);

    let before = ids(&dir, &model);
    let used = fs.used();
    let again = apply(&model, &dir);
    assert_eq!(again.read, Vec::<String>::new());
    assert_eq!(again.described, "");
    assert_eq!(again.summary.unchanged, model.0.len() as u64);
    assert_eq!(ids(&dir, &model), before, "inodes were touched");
    assert!(fs.used() <= used, "grew from {used} to {}", fs.used());
    model.assert_is(&dir);
}

#[test]
fn paths_longer_than_the_kernel_takes_at_once() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    let long = vec![["d"; 120].concat(); 33].join("/") + "/" + &["e"; 90].concat();
    model.file(format!("{long}/file"), "deep");
    model.file(format!("{long}/other"), tiu_testing::tree::noise(1, 10_000));
    apply(&model, &dir);
    model.file(format!("{long}/file"), "deep, changed");
    model.remove(&format!("{long}/other"));
    apply(&model, &dir);
    assert_eq!(apply(&model, &dir).described, "");
    apply(&Model::new(), &dir);
    Model::new().assert_is(&dir);
}

#[test]
fn every_kind_becomes_every_other() {
    let fs = LoopBtrfs::new(256);
    for (from_name, from) in every_kind() {
        let dir = fs.subvolume(&format!("from-{from_name}"));
        let mut before = Model::new();
        let mut after = Model::new();
        for (to_name, to) in every_kind() {
            before.add(to_name, from.clone());
            after.add(to_name, to.clone());
            if from == NodeKind::Dir {
                before.file(format!("{to_name}/inside/file"), "goes");
                before.add(format!("{to_name}/inside/link"), NodeKind::Symlink(b"file".to_vec()));
            }
            if to == NodeKind::Dir {
                after.file(format!("{to_name}/inside/file"), "comes");
            }
        }
        apply(&before, &dir);
        before.assert_is(&dir);
        apply(&after, &dir);
        after.assert_is(&dir);
    }
}

#[test]
fn content_of_each_kind_changes() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = of_every_kind();
    apply(&model, &dir);
    model.get("file").what = NodeKind::File(b"SMALL".to_vec());
    model.get("big").what = NodeKind::File(tiu_testing::tree::noise(2, 200_000));
    model.get("empty").what = NodeKind::File(b"no more".to_vec());
    model.get("symlink").what = NodeKind::Symlink(b"to/nowhere-else".to_vec());
    model.get("char").what = NodeKind::CharDev(rustix::fs::makedev(1, 5));
    model.get("block").what = NodeKind::BlockDev(rustix::fs::makedev(8, 1));
    apply(&model, &dir);
    model.assert_is(&dir);
    model.get("symlink").what = NodeKind::Symlink(b"to/nowhere-ELSE".to_vec());
    model.get("big").what = NodeKind::File(Vec::new());
    apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn metadata_of_each_kind_changes_and_the_inode_stays() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = of_every_kind();
    apply(&model, &dir);
    let before = ids(&dir, &model);
    for Inode { what, mode, uid, gid, mtime, .. } in model.0.values_mut() {
        *mode = if matches!(what, NodeKind::Symlink(_)) { 0o777 } else { 0o6751 };
        (*uid, *gid) = (70_000, 80_000);
        (mtime.sec, mtime.nsec) = (-1, 5);
    }
    let outcome = apply(&model, &dir);
    assert_eq!(outcome.read, Vec::<String>::new(), "content was read");
    assert_eq!(outcome.summary.metadata, model.0.len() as u64);
    model.assert_is(&dir);
    let inodes =
        |ids: &BTreeMap<Vec<u8>, (u64, i64, i64)>| -> Vec<u64> { ids.values().map(|id| id.0).collect() };
    assert_eq!(inodes(&ids(&dir, &model)), inodes(&before));
}

#[test]
fn a_file_of_right_size_and_time_but_other_content_is_rewritten() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("a", tiu_testing::tree::noise(1, 5000));
    model.file("b", "abc");
    apply(&model, &dir);
    let mut other = model.clone();
    other.get("a").what = NodeKind::File(tiu_testing::tree::noise(2, 5000));
    other.get("b").what = NodeKind::File(b"abd".to_vec());
    assert_eq!(other.get("a").mtime, MTIME);
    let outcome = apply(&other, &dir);
    assert_eq!(outcome.read, ["a", "b"]);
    other.assert_is(&dir);
}

#[test]
fn the_time_of_a_directory_is_right_after_changes_in_it() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("d/goes", "x");
    model.file("d/e/changes", "x");
    model.dir("d/f");
    apply(&model, &dir);
    model.remove("d/goes");
    model.get("d/e/changes").what = NodeKind::File(b"yy".to_vec());
    model.add("d/f/comes", NodeKind::Symlink(b"x".to_vec()));
    apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn leftovers_of_a_killed_run_go() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("d/file", "x");
    apply(&model, &dir);
    std::fs::write(dir.join("d/.tiu-0123456789abcdef-2"), "half").unwrap();
    std::fs::write(dir.join(".tiu-0123456789abcdef-0"), "half").unwrap();
    let outcome = apply(&model, &dir);
    assert_eq!(outcome.summary.removed, 2);
    model.assert_is(&dir);
}
