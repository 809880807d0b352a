//! Hosts with SELinux: which updates are refused, and the labels of what is made on the host.
//!
//! The policy is a small one, setfiles(8) is the machine's. `tests/vm/hosts/selinux.sh` boots a host
//! with Debian's policy in enforcing mode.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::selinux::{label, label_of, policy, remove_label, set_label, setfiles};
use tiu_testing::tree;

const INITRD: &str = "boot/initramfs-6.1.1-test.img";
const STATE: &str = "usr/lib/sysimage/tiu";

/// A host whose files say that it uses SELinux; `fill` completes its tree.
fn host(kit: &Kit, fill: impl FnOnce(&Path)) -> LoopHost {
    kit.host_with(512, |root| {
        policy(root, "enforcing");
        fill(root);
    })
}

/// A labelled image with a policy and setfiles; `change` comes before it is labelled.
fn image(kit: &Kit, change: impl FnOnce(&Path)) -> PathBuf {
    kit.bundle(1, |root| {
        policy(root, "enforcing");
        setfiles(root);
        change(root);
        label(root);
    })
}

fn type_of(host: &LoopHost, snapshot: u32, path: &str) -> String {
    let label = label_of(&host.snapshot(snapshot).join(path));
    label.split(':').nth(2).unwrap_or("none").to_owned()
}

#[track_caller]
fn refused(kit: &Kit, bundle: PathBuf, needles: &[&str]) {
    let host = host(kit, |_| {});
    let before = host.state();
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).refused(needles);
    assert_eq!(host.state(), before);
    host.tiu("apply", [bundle]).refused(needles);
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
}

#[test]
fn a_host_with_selinux_refuses_an_image_without_a_policy() {
    let kit = Kit::new();
    let found = ["this host uses SELinux", "/etc/selinux/config is missing or disables SELinux", "hint: "];
    // The host's configuration would stay, without what it names.
    refused(&kit, kit.bundle(1, |_| {}), &["this host uses SELinux", "file_contexts"]);
    let bundle = kit.bundle(1, |root| policy(root, "disabled"));
    let host = host(&kit, |_| {});
    host.tiu("apply", [kit.bundle(1, |root| policy(root, "enforcing"))]).refused(&["without a label"]);
    drop(host);
    // On a first update, a file that differs from the image's stays the host's.
    let same = kit.host_with(512, |root| policy(root, "disabled"));
    same.tiu("apply", [&bundle]).succeeded();
    let listed = kit.host_with(512, |root| {
        policy(root, "enforcing");
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        let lists = "etc:\n  add-always-image: [/etc/selinux/config]\n";
        tree::file(root, "etc/tiu/tiu.yaml", config + lists);
    });
    listed.tiu("apply", [bundle]).refused(&found);
}

#[test]
fn a_host_with_selinux_refuses_an_image_without_labels() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |root| {
        policy(root, "enforcing");
        setfiles(root);
        label(root);
        tree::file(root, "usr/share/late", "x");
    });
    refused(
        &kit,
        bundle,
        &["without a label (security.selinux): found 1", "the first is /usr/share/late", "setfiles -F"],
    );
}

#[test]
fn a_host_with_selinux_refuses_an_image_without_setfiles() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |root| {
        policy(root, "enforcing");
        label(root);
    });
    refused(&kit, bundle, &["the image has no setfiles", "/usr/sbin/setfiles", "policycoreutils"]);
}

#[test]
fn a_host_without_selinux_is_warned() {
    let kit = Kit::new();
    let labelled = kit.host();
    let applied = labelled.tiu("apply", [image(&kit, |_| {})]).succeeded();
    assert!(
        applied.stdout.contains("has the SELinux policy mine, and this host does not use"),
        "{}",
        applied.stdout
    );
    assert_eq!(type_of(&labelled, 2, INITRD), "initrd_t");
    let bare = kit.host();
    let bundle = kit.bundle(1, |root| {
        policy(root, "enforcing");
        setfiles(root);
    });
    let applied = bare.tiu("apply", [bundle]).succeeded();
    assert!(applied.stdout.contains("is not labelled for SELinux"), "{}", applied.stdout);
    assert_eq!(type_of(&bare, 2, INITRD), "none");
    let silent = kit.host();
    let applied = silent.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert!(!applied.stdout.contains("SELinux"), "{}", applied.stdout);
}

#[test]
fn what_is_made_on_the_host_is_labelled_by_the_policy() {
    let kit = Kit::new();
    let mut host = host(&kit, |root| {
        tree::file(root, "etc/app.conf", "colour=green\n");
        tree::file(root, "etc/local/odd \u{e4}", "x");
        symlink("app.conf", root.join("etc/link")).unwrap();
        tree::file(root, "etc/by-hand", "x");
        set_label(&root.join("etc/by-hand"), "unconfined_u:object_r:public_t:s0");
        tree::file(root, "etc/same-type", "x");
        set_label(&root.join("etc/same-type"), "unconfined_u:object_r:etc_t:s0");
        tree::file(root, "etc/wrong", "x");
        set_label(&root.join("etc/wrong"), "system_u:object_r:old_t:s0");
        tree::file(root, "etc/none", "x");
    });
    let bundle = image(&kit, |_| {});
    host.tiu("apply", [&bundle]).succeeded();
    let check = |host: &LoopHost, snapshot: u32| {
        for (path, expected) in [
            ("", "root_t"),
            ("etc", "etc_t"),
            ("etc/app.conf", "etc_t"),
            ("etc/local", "etc_t"),
            ("etc/local/odd \u{e4}", "etc_t"),
            ("etc/link", "etc_t"),
            ("etc/wrong", "etc_t"),
            ("etc/none", "none"),
            ("etc/fstab", "etc_t"),
            ("etc/tiu/tiu.yaml", "etc_t"),
            ("etc/passwd", "passwd_t"),
            ("etc/group", "etc_t"),
            ("etc/shadow", "shadow_t"),
            ("etc/gshadow", "shadow_t"),
            ("usr/bin/cat", "bin_t"),
            ("usr/share/same", "usr_t"),
            ("home", "home_root_t"),
        ] {
            assert_eq!(type_of(host, snapshot, path), expected, "/{path}");
        }
        let kept = |path: &str| label_of(&host.snapshot(snapshot).join(path));
        assert_eq!(kept("etc/by-hand"), "unconfined_u:object_r:public_t:s0");
        assert_eq!(kept("etc/same-type"), "unconfined_u:object_r:etc_t:s0");
        let own = fs::read_dir(host.snapshot(snapshot).join(STATE)).unwrap();
        let mut own: Vec<_> = own.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        own.sort();
        assert_eq!(own, ["bundle.cms", "etc", "etc.json", "generated.json", "index.zst"]);
        for name in own {
            assert_eq!(
                type_of(host, snapshot, &format!("{STATE}/{name}")),
                if name == "etc" { "etc_t" } else { "usr_t" }
            );
        }
        assert_eq!(type_of(host, snapshot, &format!("{STATE}/etc/shadow")), "shadow_t");
        assert!(!host.snapshot(snapshot).join(".autorelabel").exists());
        host.tiu("verify", [snapshot.to_string()]).succeeded();
    };
    check(&host, 2);
    assert_eq!(type_of(&host, 2, INITRD), "initrd_t");

    // A second update, from a labelled base.
    host.reboot();
    let second = kit.bundle(2, |root| {
        policy(root, "enforcing");
        setfiles(root);
        label(root);
    });
    host.tiu("apply", [second]).succeeded();
    check(&host, 3);
    assert_eq!(type_of(&host, 3, "boot/initramfs-6.1.2-test.img"), "initrd_t");
}

#[test]
fn a_label_that_was_changed_is_a_difference() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    host.tiu("apply", [image(&kit, |_| {})]).succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.edit(2, |root| {
        set_label(&root.join("usr/bin/cat"), "system_u:object_r:evil_t:s0");
        remove_label(&root.join("usr/share/changed"));
        set_label(&root.join(INITRD), "system_u:object_r:evil_t:s0");
        remove_label(&root.join(STATE).join("etc.json"));
        set_label(&root.join(STATE).join("etc/passwd"), "system_u:object_r:evil_t:s0");
        set_label(&root.join("etc/app.conf"), "system_u:object_r:evil_t:s0");
    });
    let outcome = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in 5 places"]);
    for path in [
        "usr/bin/cat",
        "usr/share/changed",
        INITRD,
        &format!("{STATE}/etc.json"),
        &format!("{STATE}/etc/passwd"),
    ] {
        assert!(outcome.stdout.contains(&format!("DIFFERS  /{path}")), "{path}:\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("/etc/app.conf"), "{}", outcome.stdout);
}

#[test]
fn a_setfiles_that_fails_or_does_nothing() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    for (script, needles) in [
        ("echo no such policy >&2; exit 1", ["was not labelled", "no such policy", "nothing has changed"]),
        ("exit 0", ["has no SELinux label", "the policy mine has none for it", "semanage fcontext"]),
    ] {
        let bundle = kit.bundle(1, |root| {
            policy(root, "enforcing");
            tree::script(root, "usr/sbin/setfiles", &format!("#!/bin/sh\n{script}\n"));
            label(root);
        });
        host.tiu("apply", [bundle]).refused(&needles);
        assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
    }
}

#[test]
fn a_host_whose_configuration_cannot_be_read_is_judged_by_the_image() {
    let kit = Kit::new();
    // A directory in its place: nobody knows whether the host uses SELinux.
    let host = kit.host_with(512, |root| fs::create_dir_all(root.join("etc/selinux/config")).unwrap());
    host.tiu("apply", [kit.bundle(1, |_| {})]).refused(&["etc/selinux/config"]);
}
