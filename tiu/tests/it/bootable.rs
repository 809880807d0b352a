//! A new default can boot, or the update is refused and the message names the missing part.

use crate::second_update::{host, refuses};
use std::fs::{self, File};
use std::path::Path;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::tree;

fn without_dracut(root: &Path) {
    fs::remove_file(root.join("usr/bin/dracut")).unwrap();
}

#[test]
fn a_kernel_without_an_initrd_is_refused_unless_that_is_said_on_purpose() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, without_dracut);
    refuses(
        &host,
        &bundle,
        &["no initrd for kernel 6.1.2-test", "/boot/initramfs-6.1.2-test.img", "initrd: none"],
    );
    host.edit(2, |root| {
        let yaml = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", yaml + "initrd: none\n");
    });
    host.tiu("apply", [bundle]).succeeded();
    assert_eq!(host.default(), 3);
}

#[test]
fn a_kernel_without_modules_dep_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, |root| tree::file(root, "usr/lib/modules/6.1.2-test/kernel/a.ko.xz", "m"));
    refuses(
        &host,
        &bundle,
        &["modules of kernel 6.1.2-test", "/usr/lib/modules/6.1.2-test/modules.dep", "depmod"],
    );
}

#[test]
fn an_initrd_that_is_empty_is_refused_at_the_end() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, |root| tiu_testing::system::dracut(root, ": >\"$image\"\n"));
    host.tiu("apply", [bundle])
        .refused(&["the new snapshot would not boot", "no initrd for kernel 6.1.2-test"]);
    assert_eq!((host.default(), host.snapshots()), (2, vec![1, 2]));
}

#[test]
fn an_image_without_an_init_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, |root| fs::remove_file(root.join("usr/sbin/init")).unwrap());
    refuses(&host, &bundle, &["no init", "/usr/lib/systemd/systemd"]);
}

#[test]
fn an_image_without_a_kernel_is_applied() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, |root| {
        without_dracut(root);
        fs::remove_dir_all(root.join("usr/lib/modules")).unwrap();
    });
    host.tiu("apply", [bundle]).succeeded();
}

#[test]
fn a_host_without_an_account_of_number_0_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        File::create(root.join("etc/passwd")).unwrap();
    });
    refuses(&host, &kit.bundle(2, |_| {}), &["/etc/passwd: found no account of number 0"]);
}

#[test]
fn an_fstab_that_cannot_be_parsed_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        let fstab = fs::read_to_string(root.join("etc/fstab")).unwrap();
        tree::file(root, "etc/fstab", fstab + "garbage\n");
    });
    refuses(&host, &kit.bundle(2, |_| {}), &["/etc/fstab: line 10", "garbage"]);
}

#[test]
fn a_rollback_to_what_would_not_boot_is_refused_unless_forced() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host.edit(2, |root| fs::remove_file(root.join("boot/initramfs-6.1.1-test.img")).unwrap());
    let words = ["snapshot 2 would not boot: it has no initrd for kernel 6.1.1-test", "--force 2"];
    host.tiu("rollback", ["2"]).refused(&words);
    host.tiu("rollback", [""; 0]).refused(&["no other snapshot"]);
    let shown = json(&host.tiu("status", ["--json"]).succeeded())["snapshots"][1].clone();
    assert_eq!(shown["bootable"], false);
    assert!(shown["lacks"].as_str().unwrap().contains("no initrd"), "{shown}");
    assert_eq!(host.default(), 3);
    host.tiu("rollback", ["2", "--force"]).succeeded();
    assert_eq!(host.default(), 2);
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Snapshot 2 boots next, but would not boot: it has no initrd"), "{shown}");
}

#[test]
fn a_change_of_etc_does_not_make_what_cannot_boot_the_default() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        tree::file(root, "etc/app.conf", "mine\n");
        tree::file(root, "etc/fstab", "garbage\n");
    });
    host.tiu("etc", ["reset", "--in", "snapshot", "/etc/app.conf"])
        .refused(&["would not boot", "/etc/fstab: line 1"]);
    assert_eq!((host.default(), host.snapshots()), (2, vec![1, 2]));
}
