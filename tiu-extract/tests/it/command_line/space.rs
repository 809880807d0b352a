//! Filesystems that are too small or take nothing.

use super::kit::{Kit, zst};
use std::fs;
use std::process::Command;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::bundles::{Parts, file_entry, image, index_of};
use tiu_testing::tree;

#[test]
fn filesystem_that_becomes_full() {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    let contents: Vec<(String, Vec<u8>)> =
        (0..6).map(|i| (format!("file-{i}"), tree::noise(i, 8 << 20))).collect();
    for (path, content) in &contents {
        tree::file(root.path(), path, content);
    }
    let index = index_of(contents.iter().map(|(path, content)| file_entry(path, content)));
    let bundle = kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index));
    let disk = LoopBtrfs::new(32);
    let target = disk.path().join("target");
    tree::file(&target, "old", "was here before");
    let needles = [
        "no space left on the filesystem of the target while writing file-",
        "bytes are free, about",
        "free some space",
    ];
    kit.run("extract", [&bundle, &target]).refused(&needles);
    assert_eq!(fs::read(target.join("old")).unwrap(), b"was here before");
    // Files that are there are complete, and nothing else is there.
    for entry in fs::read_dir(&target).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let whole = contents.iter().find(|(path, _)| *path == name);
        match whole {
            Some((path, content)) => assert!(fs::read(target.join(path)).unwrap() == *content, "{path}"),
            None => assert_eq!(name, "old"),
        }
    }
}

#[test]
fn filesystem_that_is_read_only() {
    let kit = Kit::new();
    let disk = LoopBtrfs::new(32);
    let target = disk.path().join("target");
    tree::file(&target, "a", "another content");
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.path()).status().unwrap();
    assert!(remounted.success());
    let needles = ["Read-only file system", "the target is read-only: make it writable first"];
    kit.run("extract", [&kit.bundle(&super::kit::good()), &target]).refused(&needles);
    assert_eq!(fs::read(target.join("a")).unwrap(), b"another content");
}
