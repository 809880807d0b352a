//! Recipes and trees that cannot be packed.

use super::refused;
use crate::place::{EPOCH, Place, program, run};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use tiu_system::path::TreePath;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::program::outcome;

#[test]
fn missing_compatible() {
    let place = Place::new();
    fs::write(place.path("bundle.yaml"), "description: x\n").expect("a recipe");
    refused(&place, &["bundle.yaml", "missing field `compatible`", "hint: add `compatible: NAME`"]);
}

#[test]
fn unknown_key_of_the_recipe() {
    let place = Place::new();
    place.recipe("colour: red\n");
    refused(&place, &["unknown field `colour`", "line 4", "hint: examples/bundle.yaml"]);
}

#[test]
fn no_recipe() {
    let place = Place::new();
    fs::remove_file(place.path("bundle.yaml")).expect("a file");
    refused(&place, &["bundle.yaml", "No such file", "hint: "]);
}

#[test]
fn no_os_release() {
    let place = Place::new();
    fs::remove_file(place.root().join("usr/lib/os-release")).expect("a file");
    fs::remove_file(place.root().join("etc/os-release")).expect("a symlink");
    refused(&place, &["does not show its version", "IMAGE_VERSION or VERSION_ID", "`version: "]);
}

#[test]
fn files_that_are_there_but_cannot_be_reached() {
    for path in ["etc/fstab", "etc/passwd", "etc/group", "etc/os-release", "etc/selinux/config"] {
        let place = Place::new();
        let file = place.root().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        let _ = fs::remove_file(&file);
        symlink("/nowhere/file", &file).expect("a symlink");
        let named = format!("/{path}: ");
        let hint = "hint: correct it or remove it";
        refused(&place, &[&named, "the symbolic link leads to /nowhere/file, which does not exist", hint]);
        fs::remove_file(&file).expect("a symlink");
        symlink(file.file_name().expect("a name"), &file).expect("a symlink to itself");
        refused(&place, &[&named, "Too many levels of symbolic links"]);
        fs::remove_file(&file).expect("a symlink");
        fs::create_dir(&file).expect("a directory");
        refused(&place, &[&named, "not a regular file", hint]);
    }
    // A machine ID may be a link to the one that the host makes.
    let place = Place::new();
    let link = place.root().join("var/lib/dbus/machine-id");
    fs::create_dir_all(link.parent().expect("a parent")).expect("a directory");
    symlink("/etc/machine-id", &link).expect("a symlink");
    place.packed();
}

#[test]
fn no_program_that_tells_the_architecture() {
    let place = Place::new();
    fs::write(place.path("bundle.yaml"), "compatible: testos\n").expect("a recipe");
    refused(&place, &["does not show its architecture", "/usr/bin/sh", "`arch: x86_64`"]);
}

#[test]
fn two_kernels() {
    let place = Place::new();
    place.file("usr/lib/modules/6.2-other/vmlinuz", "x");
    refused(&place, &["2 kernels", "6.1.1-test, 6.2-other", "`kernel: VERSION`"]);
    place.recipe("kernel: 6.2-other\n");
    assert_eq!(place.packed().bundle.manifest.tiu.kernel.as_deref(), Some("6.2-other"));
}

#[test]
fn a_directory_of_modules_without_a_kernel_is_not_a_kernel() {
    let place = Place::new();
    // What removed kernels leave behind, and out-of-tree modules of another kernel.
    place.file("usr/lib/modules/6.0.9-old/modules.dep", "x");
    place.file("usr/lib/modules/6.2-other/extra/x.ko", "x");
    place.recipe("kernel: 6.0.9-old\n");
    refused(&place, &["the recipe names the kernel 6.0.9-old", "6.1.1-test"]);
    // A kernel in /boot counts.
    place.recipe("");
    place.file("boot/vmlinuz-6.2-other", "x");
    refused(&place, &["2 kernels", "6.1.1-test, 6.2-other"]);
    fs::remove_file(place.root().join("boot/vmlinuz-6.2-other")).expect("a file");
    assert_eq!(place.packed().bundle.manifest.tiu.kernel.as_deref(), Some("6.1.1-test"));
}

#[test]
fn a_kernel_that_is_not_there() {
    let place = Place::new();
    place.recipe("kernel: '7'\n");
    refused(&place, &["the recipe names the kernel 7", "6.1.1-test"]);
}

#[test]
fn a_version_that_no_manifest_can_hold() {
    let place = Place::new();
    place.recipe("version: a b\n");
    refused(&place, &["version", "letters, digits", "hint: "]);
}

#[test]
fn a_root_that_is_not_there() {
    let place = Place::new();
    fs::remove_dir_all(place.root()).expect("the tree");
    refused(&place, &["root", "No such file", "kiwi-ng"]);
}

#[test]
fn a_root_that_is_a_file() {
    let place = Place::new();
    fs::remove_dir_all(place.root()).expect("the tree");
    fs::write(place.root(), "x").expect("a file");
    refused(&place, &["root", "Not a directory"]);
}

#[test]
fn a_bundle_inside_its_own_tree() {
    let place = Place::new();
    symlink("root/usr", place.path("alias")).expect("a link");
    for out in ["root/bundle.tiu", "alias/bundle.tiu"] {
        place.pack(out).refused(&["is in the tree", "another directory"]);
    }
    assert!(!place.root().join("bundle.tiu").exists() && !place.root().join("usr/bundle.tiu").exists());
}

#[test]
fn a_folder_that_is_not_there() {
    let place = Place::new();
    place.pack("no/such/bundle.tiu").refused(&["bundle.tiu", "No such file", "hint: "]);
}

#[test]
fn a_file_where_the_tree_must_have_a_directory() {
    let place = Place::new();
    place.file("usr/lib/sysimage", "x");
    refused(&place, &["/usr/lib/sysimage", "found a regular file", "expected a directory"]);
}

#[test]
fn neither_key_nor_unsigned() {
    let place = Place::new();
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert") && !argument.starts_with("--key"));
    let found = outcome(program().args(arguments));
    assert_eq!(found.code, Some(2), "{}", found.stderr);
    assert!(found.stderr.contains("--unsigned"), "{}", found.stderr);
}

#[test]
fn a_time_that_hosts_cannot_hold() {
    let place = Place::new();
    // ext4 and others hold no time before 1901-12-13; btrfs does.
    let disk = LoopBtrfs::new(128);
    let root = disk.path().join("root");
    tiu_testing::system::small(&root, 1);
    let file = root.join("usr/lib/odd");
    let touch = |sec: i64| {
        fs::write(&file, "x").expect("a file");
        let time = Timespec { tv_sec: sec, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &file, &times, AtFlags::empty()).expect("a time");
        assert_eq!(fs::metadata(&file).expect("the file").mtime(), sec);
    };
    let mut arguments = place.pack_arguments("bundle.tiu");
    let at = arguments.len() - 2;
    arguments[at] = root.to_str().expect("UTF-8").to_owned();
    touch(-11_644_473_600);
    run(&arguments).refused(&["/usr/lib/odd: its modification time is -11644473600", "touch"]);
    assert!(!place.path("bundle.tiu").exists());
    let mtime = || {
        run(&arguments).succeeded();
        let index = place.open("bundle.tiu").index;
        let odd = index.find(TreePath::literal("usr/lib/odd")).expect("the file");
        index.entry(odd).mtime.sec
    };
    touch(-2_147_483_648);
    assert_eq!(mtime(), -2_147_483_648);
    // The year 2500: as all that is later than the build.
    touch(16_725_225_600);
    assert_eq!(mtime(), EPOCH);
}
