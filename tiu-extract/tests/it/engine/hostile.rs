//! Targets made to lead the engine astray.

use super::model::{Model, NodeKind};
use super::run::apply;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

/// A target full of symlinks where the image has directories, and a directory outside that they
/// lead to.
fn lead_outside(absolute: bool) {
    let fs = LoopBtrfs::new(256);
    let outside = fs.path().join("outside");
    fs::create_dir_all(outside.join("lib/deep")).unwrap();
    fs::write(outside.join("lib/victim"), "untouched").unwrap();
    fs::write(outside.join("lib/extra"), "untouched").unwrap();
    let dir = fs.subvolume("t");
    fs::create_dir(dir.join("inner")).unwrap();
    let to = |path: &str, up: &str| {
        if absolute { outside.join(path) } else { format!("{up}outside/{path}").into() }
    };
    symlink(to("", "../"), dir.join("usr")).unwrap();
    symlink(to("lib", "../../"), dir.join("inner/lib")).unwrap();
    symlink(to("lib/victim", "../"), dir.join("file")).unwrap();
    symlink(to("lib", "../"), dir.join("extra-dir")).unwrap();
    let mut model = Model::new();
    model.file("usr/lib/victim", "image's");
    model.file("usr/lib/deep/file", noise(1, 10_000));
    model.file("inner/lib/victim", "image's");
    model.file("file", "image's");
    model.get("usr").mode = 0o700;
    let before: Vec<_> = ["", "lib", "lib/victim", "lib/extra", "lib/deep"]
        .iter()
        .map(|path| outside.join(path).metadata().unwrap())
        .map(|stat| (stat.ino(), stat.mode(), stat.ctime(), stat.ctime_nsec()))
        .collect();
    apply(&model, &dir);
    model.assert_is(&dir);
    assert_eq!(fs::read(outside.join("lib/victim")).unwrap(), b"untouched");
    let after: Vec<_> = ["", "lib", "lib/victim", "lib/extra", "lib/deep"]
        .iter()
        .map(|path| outside.join(path).metadata().unwrap())
        .map(|stat| (stat.ino(), stat.mode(), stat.ctime(), stat.ctime_nsec()))
        .collect();
    assert_eq!(after, before);
    assert_eq!(fs::read_dir(outside.join("lib/deep")).unwrap().count(), 0);
}

#[test]
fn absolute_symlinks_to_the_outside() {
    lead_outside(true);
}

#[test]
fn relative_symlinks_to_the_outside() {
    lead_outside(false);
}

#[test]
fn symlinks_that_name_themselves_and_each_other() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    symlink("self", dir.join("self")).unwrap();
    symlink("b", dir.join("a")).unwrap();
    symlink("a", dir.join("b")).unwrap();
    symlink(".", dir.join("dot")).unwrap();
    let mut model = Model::new();
    model.file("self/file", "x");
    model.file("a/file", "x");
    model.add("b", NodeKind::Symlink(b"a".to_vec()));
    model.file("dot/dot/file", "x");
    apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn a_fifo_where_the_image_has_a_file_does_not_block() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut before = Model::new();
    before.add("file", NodeKind::Fifo);
    before.add("dir", NodeKind::Fifo);
    apply(&before, &dir);
    let mut after = Model::new();
    after.file("file", "");
    after.file("dir/file", "x");
    apply(&after, &dir);
    after.assert_is(&dir);
}

#[test]
fn a_deep_tree_goes_with_few_descriptors() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    // Each level has a directory that waits while the other is entered.
    let mut at = std::fs::File::open(&dir).unwrap();
    for _ in 0..3000 {
        for name in ["deep", "waits"] {
            rustix::fs::mkdirat(&at, name, rustix::fs::Mode::RWXU).unwrap();
        }
        let flags = rustix::fs::OFlags::DIRECTORY;
        at = rustix::fs::openat(&at, "deep", flags, rustix::fs::Mode::empty()).unwrap().into();
    }
    drop(at);
    let outcome = apply(&Model::new(), &dir);
    assert_eq!(outcome.summary.removed, 6000);
}
