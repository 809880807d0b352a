//! Hard links: names that join, split, and change.

use super::model::{Model, NodeKind};
use super::run::{apply, differences};
use std::os::unix::fs::MetadataExt;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

fn change(before: &Model, after: &Model) -> super::run::Applied {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    apply(before, &dir);
    before.assert_is(&dir);
    let outcome = apply(after, &dir);
    after.assert_is(&dir);
    assert_eq!(apply(after, &dir).described, "");
    outcome
}

fn three_names(content: &[u8]) -> Model {
    let mut model = Model::new();
    model.file("a", content);
    model.link("d/b", "a");
    model.link("d/e/c", "a");
    model
}

#[test]
fn names_are_made_and_stay() {
    let outcome = change(&Model::new(), &three_names(b"x"));
    assert_eq!(outcome.read, ["a"]);
}

#[test]
fn separate_files_join() {
    let mut before = three_names(b"x");
    before.file("d/b", "x");
    before.file("d/e/c", "x");
    let outcome = change(&before, &three_names(b"x"));
    assert_eq!(outcome.read, Vec::<String>::new());
}

#[test]
fn one_inode_splits() {
    let content = noise(1, 10_000);
    let mut after = three_names(&content);
    after.file("d/b", &content);
    after.get("d/b").mode = 0o600;
    let outcome = change(&three_names(&content), &after);
    assert_eq!(outcome.read, Vec::<String>::new(), "the content is there to be shared");
    assert_eq!(outcome.summary.reflinked, 1);
}

#[test]
fn one_name_gets_other_content() {
    let mut after = three_names(&noise(1, 10_000));
    after.file("d/b", "other");
    change(&three_names(&noise(1, 10_000)), &after);
}

#[test]
fn the_first_name_gets_other_content() {
    let mut after = Model::new();
    after.file("a", "other");
    after.file("d/b", "x");
    after.link("d/e/c", "d/b");
    let outcome = change(&three_names(b"x"), &after);
    assert_eq!(outcome.read, ["a"]);
}

#[test]
fn all_names_get_other_content() {
    change(&three_names(b"x"), &three_names(b"yy"));
}

#[test]
fn the_first_name_goes() {
    let mut after = Model::new();
    after.file("d/b", "x");
    after.link("d/e/c", "d/b");
    change(&three_names(b"x"), &after);
}

#[test]
fn a_name_comes_before_the_first() {
    let mut after = Model::new();
    after.file("0", "x");
    for name in ["a", "d/b", "d/e/c"] {
        after.link(name, "0");
    }
    let outcome = change(&three_names(b"x"), &after);
    assert_eq!(outcome.read, Vec::<String>::new());
}

#[test]
fn names_of_two_inodes_swap() {
    let content = noise(1, 10_000);
    let mut before = Model::new();
    let mut after = Model::new();
    for (model, second, third) in [(&mut before, "a", "b"), (&mut after, "b", "a")] {
        model.file("a", &content);
        model.file("b", &content);
        model.link("x", second);
        model.link("y", third);
    }
    let outcome = change(&before, &after);
    assert_eq!(outcome.read, Vec::<String>::new());
}

#[test]
fn a_directory_stands_where_a_name_comes() {
    let mut before = three_names(b"x");
    before.remove("d/b");
    before.file("d/b/inside", "y");
    change(&before, &three_names(b"x"));
    let mut before = Model::new();
    before.file("a/inside", "y");
    before.file("d/b", "x");
    change(&before, &three_names(b"x"));
}

#[test]
fn links_of_symlinks_and_devices() {
    let mut before = Model::new();
    let mut after = Model::new();
    for model in [&mut before, &mut after] {
        model.add("symlink", NodeKind::Symlink(b"x".to_vec()));
        model.add("device", NodeKind::CharDev(rustix::fs::makedev(1, 3)));
        model.add("fifo", NodeKind::Fifo);
    }
    for kind in ["symlink", "device", "fifo"] {
        after.link(format!("z/{kind}"), kind);
    }
    change(&before, &after);
    change(&after, &before);
    let mut changed = after.clone();
    changed.get("symlink").what = NodeKind::Symlink(b"y".to_vec());
    changed.get("device").uid = 5;
    change(&after, &changed);
}

#[test]
fn a_name_outside_of_the_target_is_not_changed_with_it() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("all");
    let target = dir.join("target");
    std::fs::create_dir(&target).unwrap();
    let mut model = Model::new();
    model.file("file", noise(1, 10_000));
    apply(&model, &target);
    std::fs::hard_link(target.join("file"), dir.join("outside")).unwrap();
    let found = differences(&model, &target, &Default::default());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].what, &*found[0].found, &*found[0].expected), ("hardlink", "2 names", "1 name"));
    model.get("file").uid = 7;
    apply(&model, &target);
    model.assert_is(&target);
    let outside = dir.join("outside").metadata().unwrap();
    assert_eq!((outside.uid(), outside.nlink()), (0, 1));
}
