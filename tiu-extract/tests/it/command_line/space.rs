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
    kit.run("extract", [bundle.as_os_str(), target.as_os_str(), "--delete".as_ref()]).refused(&needles);
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

#[test]
fn quota_that_is_used_up() {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    let content = tree::noise(1, 24 << 20);
    tree::file(root.path(), "file", &content);
    let index = index_of([file_entry("file", &content)]);
    let bundle = kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index));
    let disk = LoopBtrfs::new(256);
    let target = disk.subvolume("target");
    for arguments in [&["quota", "enable"][..], &["quota", "rescan", "-w"], &["qgroup", "limit", "8M"]] {
        let path = if arguments[0] == "quota" { disk.path() } else { target.clone() };
        assert!(Command::new("btrfs").args(arguments).arg(path).status().unwrap().success(), "{arguments:?}");
    }
    kit.run("extract", [&bundle, &target]).refused(&["Disk quota exceeded", "btrfs qgroup show"]);
}

#[test]
fn attribute_that_is_larger_than_a_block_of_the_filesystem() {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    let content = tree::noise(1, 20_000);
    tree::file(root.path(), "file", &content);
    let mut entry = file_entry("file", &content);
    entry.xattrs = vec![(b"user.large".to_vec().into(), vec![b'v'; 60_000].into())];
    let index = index_of([entry]);
    let bundle = kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index));
    let disk = LoopBtrfs::new(256);
    kit.run("extract", [&bundle, &disk.path().join("target")]).refused(&[
        "cannot set an extended attribute of file: no space left on the filesystem of the target, although",
        "16 KiB",
        "btrfs filesystem usage",
    ]);
}
