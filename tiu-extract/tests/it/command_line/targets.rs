//! Targets that lead elsewhere or cannot be written to.

use super::kit::{CONTENT, Kit, good, zst};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use tiu_bundle::index::Kind;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::tree;

/// A bundle of `usr/lib/file` and `etc/file`.
fn bundle(kit: &Kit) -> PathBuf {
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "usr/lib/file", CONTENT);
    tree::file(root.path(), "etc/file", CONTENT);
    tree::file(root.path(), "filling", tree::noise(1, 10_000));
    let index = index_of([
        entry("usr", Kind::Dir, 0o755),
        entry("usr/lib", Kind::Dir, 0o755),
        file_entry("usr/lib/file", CONTENT),
        entry("etc", Kind::Dir, 0o755),
        file_entry("etc/file", CONTENT),
    ]);
    kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index))
}

/// Extracts, whole and in part, into a target with `usr` and `etc` as symlinks.
fn symlinks_lead(to: impl Fn(&Kit, &str) -> PathBuf) {
    for part in [None, Some("usr/lib/file")] {
        let kit = Kit::new();
        tree::file(&kit.path("outside"), "lib/file", "a victim");
        tree::file(&kit.path("outside"), "file", "another victim");
        let before = tree::state(&kit.path("outside"));
        let target = kit.path("target");
        fs::create_dir(&target).unwrap();
        symlink(to(&kit, ""), target.join("usr")).unwrap();
        symlink(to(&kit, ""), target.join("etc")).unwrap();
        let bundle = bundle(&kit);
        let arguments = [bundle.as_path(), &target].into_iter().chain(part.map(std::path::Path::new));
        kit.run("extract", arguments).succeeded();
        assert_eq!(tree::state(&kit.path("outside")), before, "the outside was changed");
        assert!(fs::symlink_metadata(target.join("usr")).unwrap().is_dir(), "the symlink became a directory");
        assert_eq!(fs::read(target.join("usr/lib/file")).unwrap(), CONTENT);
    }
}

#[test]
fn absolute_symlinks_to_the_outside() {
    symlinks_lead(|kit, path| kit.path("outside").join(path));
}

#[test]
fn relative_symlinks_to_the_outside() {
    symlinks_lead(|_, path| PathBuf::from("../outside").join(path));
}

#[test]
fn target_that_is_a_file() {
    let kit = Kit::new();
    let file = kit.path("file");
    fs::write(&file, "here before").unwrap();
    kit.run("extract", [&kit.bundle(&good()), &file]).refused(&["file: ", "directory"]);
    assert_eq!(fs::read(&file).unwrap(), b"here before");
}

#[test]
fn target_below_a_file() {
    let kit = Kit::new();
    fs::write(kit.path("file"), "here before").unwrap();
    kit.run("extract", [&kit.bundle(&good()), &kit.path("file/below")])
        .refused(&["file/below: Not a directory"]);
}

#[test]
fn target_that_is_missing_in_a_dry_run() {
    let kit = Kit::new();
    let bundle = kit.bundle(&good());
    let new = kit.path("new");
    kit.run("extract", ["--dry-run".as_ref(), bundle.as_path(), &new])
        .refused(&["new: No such file or directory"]);
    assert!(!new.exists());
}

#[test]
fn target_that_takes_no_files() {
    let kit = Kit::new();
    kit.run("extract", [&kit.bundle(&good()), &PathBuf::from("/proc/self/fdinfo")]).refused(&[]);
}
