//! Where the initrd of a new snapshot comes from.

use std::fs;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::system::dracut;
use tiu_testing::tree;

fn host(kit: &Kit, more: &str) -> LoopHost {
    kit.host_with(512, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", config + more);
    })
}

fn shipped(root: &Path) {
    tree::file(root, "boot/initramfs-6.1.1-test.img", "of the image");
    dracut(root, "exit 1\n");
}

fn text(host: &LoopHost, path: &str) -> String {
    fs::read_to_string(host.snapshot(2).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_image_s_own_is_left_as_it_was_signed() {
    let kit = Kit::new();
    let host = host(&kit, "");
    let applied = host.tiu("apply", [kit.bundle(1, shipped)]).succeeded();
    assert!(!applied.stdout.contains("made on this host"), "{}", applied.stdout);
    assert_eq!(text(&host, "boot/initramfs-6.1.1-test.img"), "of the image");
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn dracut_replaces_the_image_s_own_where_configured() {
    let kit = Kit::new();
    let host = host(&kit, "initrd: dracut\n");
    let bundle = kit.bundle(1, |root| {
        shipped(root);
        dracut(root, "echo made >\"$image\"\n");
    });
    host.tiu("apply", [bundle]).succeeded();
    assert_eq!(text(&host, "boot/initramfs-6.1.1-test.img"), "made\n");
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn none_is_made_where_configured() {
    let kit = Kit::new();
    let host = host(&kit, "initrd: none\n");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert_eq!(fs::read_dir(host.snapshot(2).join("boot")).unwrap().flatten().count(), 1, "writable alone");
}

#[test]
fn an_image_without_the_initrd_that_it_should_ship() {
    let kit = Kit::new();
    let host = host(&kit, "initrd: image\n");
    host.tiu("apply", [kit.bundle(1, |_| {})]).refused(&[
        "the image has no initrd",
        "boot/initramfs-6.1.1-test.img",
        "tiu.yaml",
    ]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_image_without_the_dracut_that_is_to_make_it() {
    let kit = Kit::new();
    let host = host(&kit, "initrd: dracut\n");
    let bundle = kit.bundle(1, |root| fs::remove_file(root.join("usr/bin/dracut")).unwrap());
    host.tiu("apply", [bundle]).refused(&["no dracut", "usr/bin/dracut"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn where_suse_s_boot_loader_looks() {
    let kit = Kit::new();
    let host = host(&kit, "");
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "usr/lib/os-release", "ID=testos\nID_LIKE=\"suse opensuse\"\nVERSION_ID=1\n");
    });
    host.tiu("apply", [bundle]).succeeded();
    assert_eq!(text(&host, "boot/initrd-6.1.1-test"), "initrd for 6.1.1-test\n");
    assert_eq!(
        fs::read_link(host.snapshot(2).join("boot/initrd")).unwrap().to_str(),
        Some("initrd-6.1.1-test")
    );
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn a_kernel_s_initrd_does_not_outlive_it() {
    let kit = Kit::new();
    let mut host = host(&kit, "");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    let boot = host.snapshot(3).join("boot");
    let names: Vec<_> = fs::read_dir(boot).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "initramfs-6.1.2-test.img"), "{names:?}");
    assert!(!names.iter().any(|name| name == "initramfs-6.1.1-test.img"), "{names:?}");
}
