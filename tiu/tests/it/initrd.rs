//! The origin of a new snapshot's initrd.

use std::fs;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::program::{RunOutput, json};
use tiu_testing::system::{cpio, dracut, initrd};
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

const INITRD: &str = "boot/initramfs-6.1.1-test.img";

/// A host with `more` in its tiu.yaml and an image whose initrd dracut may replace, as it runs.
fn running(kit: &Kit, more: &str) -> LoopHost {
    let mut host = host(kit, more);
    let bundle = kit.bundle(1, |root| {
        shipped(root);
        dracut(root, "echo made >\"$image\"\n");
        live::programs(root);
    });
    host.tiu("apply", [bundle]).succeeded();
    host.reboot();
    host
}

/// `tiu verify` on the host as the running system.
fn verify_running(host: &LoopHost) -> RunOutput {
    live::tiu(host, &[], ["verify"])
}

#[test]
fn dracut_replaces_the_image_s_own_where_configured() {
    let kit = Kit::new();
    let host = running(&kit, "initrd: dracut\n");
    assert_eq!(text(&host, INITRD), "made\n");
    // It is not what was signed, and nothing that a suspect says makes it so.
    let outcome = host.tiu("verify", ["2"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stdout.contains(&format!("DIFFERS  /{INITRD}")), "{}", outcome.stdout);
    let accepted = host.tiu("verify", ["2", "--accept", "/boot/initramfs-6.1.1-test.img"]).succeeded();
    assert!(accepted.stdout.contains(&format!("not compared: /{INITRD} (accepted")), "{}", accepted.stdout);
    // The auditor's own configuration and the running system's do.
    let auditor = kit.path("auditor.yaml");
    fs::write(&auditor, format!("keyring: {}\ninitrd: dracut\n", kit.keyring().display())).unwrap();
    let audited = host.tiu("verify", ["--config".as_ref(), auditor.as_os_str()]).succeeded();
    for verified in [verify_running(&host).succeeded(), audited] {
        let line =
            format!("not compared: /{INITRD} (made on this host, as tiu.yaml says, 1 entry of the image)\n");
        assert!(verified.stdout.contains(&line), "{}", verified.stdout);
        assert!(verified.stdout.contains("1 path was not compared."), "{}", verified.stdout);
        assert!(!verified.stdout.contains("All "), "{}", verified.stdout);
        assert!(!verified.stdout.contains("DIFFERS"), "{}", verified.stdout);
    }
    let document = json(&live::tiu(&host, &[], ["verify", "--json"]).succeeded());
    let expected = serde_json::json!([{ "path": INITRD, "reason": "made", "entries": 1 }]);
    assert_eq!(document["not_compared"], expected);
    // A later change is found.
    host.edit(2, |root| fs::write(root.join(INITRD), "evil\n").unwrap());
    let changed = verify_running(&host).refused(&["snapshot 2 differs in 1 place"]);
    assert!(changed.stdout.contains(&format!("DIFFERS  /{INITRD}: content")), "{}", changed.stdout);
}

#[test]
fn the_running_system_is_believed_about_its_initrd_alone() {
    let kit = Kit::new();
    // The image's own, without a configuration that lets dracut replace it.
    let host = running(&kit, "");
    assert_eq!(verify_running(&host).succeeded().stdout.matches("DIFFERS").count(), 0);
    let note = |root: &Path, path: &str, config: &str| {
        fs::write(root.join(path), "evil").unwrap();
        let record = root.join("usr/lib/sysimage/tiu/generated.json");
        let mut json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
        let digest = tiu_bundle::content_digest::digest_bytes(b"evil").to_string();
        json["files"] = serde_json::json!([{ "path": path, "digest": digest }]);
        fs::write(record, json.to_string()).unwrap();
        let tiu = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        fs::write(root.join("etc/tiu/tiu.yaml"), tiu + config).unwrap();
    };
    let kernel = "usr/lib/modules/6.1.1-test/vmlinuz";
    for (path, config) in [
        (INITRD, ""),
        (kernel, "initrd: dracut\n"),
        (kernel, "initrd: dracut\ninitrd-path: /usr/lib/modules/{kernel}/vmlinuz\n"),
        ("usr/lib/evil.so", "initrd: dracut\ninitrd-path: /usr/lib/evil.so\n"),
    ] {
        let host = running(&kit, "");
        host.edit(2, |root| note(root, path, config));
        let found = verify_running(&host).refused(&["snapshot 2 differs in"]);
        assert!(found.stdout.contains(&format!("DIFFERS  /{path}: ")), "{config}{}", found.stdout);
        drop(host);
    }
}

#[test]
fn the_running_system_says_where_its_initrd_is() {
    let kit = Kit::new();
    let mut host = host(&kit, "initrd-path: /boot/mine-{kernel}\n");
    host.tiu("apply", [kit.bundle(1, live::programs)]).succeeded();
    host.reboot();
    let outcome = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in"]);
    assert!(outcome.stdout.contains("DIFFERS  /boot/mine-6.1.1-test: extra"), "{}", outcome.stdout);
    let verified = verify_running(&host).succeeded();
    let line = "made on this host, not signed: /boot/mine-6.1.1-test (unchanged since)";
    assert!(verified.stdout.contains(line), "{}", verified.stdout);
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
    assert!(text(&host, "boot/initrd-6.1.1-test").contains("initrd for 6.1.1-test\n"));
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

/// An image whose dracut prints `said` and makes `made`.
fn image(kit: &Kit, said: &str, made: &[u8]) -> std::path::PathBuf {
    kit.bundle(1, |root| {
        tree::file(root, "usr/lib/dracut/made", made);
        tree::file(root, "usr/lib/dracut/said", said);
        dracut(root, "cat /usr/lib/dracut/said >&2; cat /usr/lib/dracut/made >\"$image\"\n");
    })
}

/// Applies `bundle` to a host that takes it and to one with `initrd-strict`. `warnings` are those
/// of `apply`, `status`, their documents and the record.
#[track_caller]
fn warned(kit: &Kit, bundle: &Path, warnings: &[&str]) {
    let host = host(kit, "");
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    let found: Vec<_> = applied["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(found, warnings);
    let record = fs::read_to_string(host.snapshot(2).join("usr/lib/sysimage/tiu/generated.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let recorded = record["initrd"]["warnings"].as_array().cloned().unwrap_or_default();
    assert_eq!(recorded, warnings.iter().map(|w| (*w).into()).collect::<Vec<serde_json::Value>>());
    let status = json(&host.tiu("status", ["--json"]).succeeded());
    let snapshot = status["snapshots"].as_array().unwrap().iter().find(|s| s["number"] == 2).unwrap();
    assert_eq!(snapshot["initrd_warnings"].as_array().unwrap(), &recorded);
    let RunOutput { stdout, .. } = host.tiu("status", [""; 0]).succeeded();
    for warning in warnings {
        assert!(stdout.contains(&format!("Snapshot 2: warning: {warning}")), "{stdout}");
    }
    host.tiu("verify", ["2"]).succeeded();

    let strict = self::host(kit, "initrd-strict: true\n");
    let outcome = strict.tiu("apply", [bundle]);
    if warnings.is_empty() {
        outcome.succeeded();
        return;
    }
    outcome.refused(&["initrd-strict", warnings[0], "dracut.conf.d"]);
    assert_eq!((strict.snapshots(), strict.default()), (vec![1], 1));
}

#[test]
fn a_dracut_that_ends_with_0_although_a_driver_failed() {
    let kit = Kit::new();
    let said = "dracut: Executing: /usr/bin/dracut
dracut-install: Failed to find module 'nosuchdrv'
dracut: FAILED:  /usr/lib/dracut/dracut-install -m nosuchdrv
/etc/dracut.conf.d/99.conf: line 1: unexpected EOF while looking for matching `\"'
dracut[E]: FAILED: /usr/lib/dracut/dracut-install -a /etc/nosuch
dracut: *** Creating initramfs image file done ***
";
    warned(
        &kit,
        &image(&kit, said, &initrd("6.1.1-test")),
        &[
            "dracut reports: dracut-install: Failed to find module 'nosuchdrv'",
            "dracut reports: dracut: FAILED:  /usr/lib/dracut/dracut-install -m nosuchdrv",
            "dracut reports: /etc/dracut.conf.d/99.conf: line 1: unexpected EOF while looking for matching `\"'",
            "dracut reports: dracut[E]: FAILED: /usr/lib/dracut/dracut-install -a /etc/nosuch",
        ],
    );
}

#[test]
fn a_dracut_that_did_all_is_not_warned_about() {
    let kit = Kit::new();
    let said = "dracut: *** Including module: btrfs ***\ndracut[I]: no FAILED\ndracut[W]: a warning\n";
    warned(&kit, &image(&kit, said, &initrd("6.1.1-test")), &[]);
}

#[test]
fn an_initrd_with_the_modules_of_another_kernel() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "usr/lib/modules/6.1.1-test/kernel/fs/btrfs/btrfs.ko", "");
        tree::file(root, "usr/lib/modules/6.1.1-test/modules.dep", "kernel/fs/btrfs/btrfs.ko:\n");
        tree::file(root, "usr/lib/dracut/initrd-6.1.1-test", initrd("6.0.9-test"));
    });
    warned(
        &kit,
        &bundle,
        &[
            "initrd /boot/initramfs-6.1.1-test.img: it has kernel modules of 6.0.9-test; expected 6.1.1-test",
            "initrd /boot/initramfs-6.1.1-test.img: it has no module btrfs for kernel 6.1.1-test, which does not have it \
         built in: the root filesystem cannot be mounted",
        ],
    );
}

#[test]
fn a_kernel_with_the_root_filesystem_built_in() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "usr/lib/modules/6.1.1-test/modules.builtin", "kernel/fs/btrfs/btrfs.ko\n");
        tree::file(root, "usr/lib/dracut/initrd-6.1.1-test", cpio(&[("init", b"")]));
    });
    warned(&kit, &bundle, &[]);
}

#[test]
fn an_initrd_that_no_kernel_reads() {
    let kit = Kit::new();
    let cut = &initrd("6.1.1-test")[..200];
    warned(
        &kit,
        &image(&kit, "", cut),
        &["initrd /boot/initramfs-6.1.1-test.img: no kernel can read it: it ends in the middle"],
    );
}

#[test]
fn an_initrd_that_cannot_be_judged_is_said_to_be_so() {
    let kit = Kit::new();
    warned(
        &kit,
        &image(&kit, "", b"BZh91AY&SY"),
        &[
            "initrd /boot/initramfs-6.1.1-test.img: not checked: it is compressed by bzip2, which tiu does not read",
        ],
    );
}

#[test]
fn a_shipped_initrd_without_the_root_filesystem_s_module() {
    let kit = Kit::new();
    let bundle = kit.bundle(1, |root| {
        tree::file(root, "boot/initramfs-6.1.1-test.img", cpio(&[("init", b"")]));
        tree::file(root, "usr/lib/modules/6.1.1-test/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
    });
    warned(
        &kit,
        &bundle,
        &[
            "initrd /boot/initramfs-6.1.1-test.img: it has no module btrfs for kernel 6.1.1-test, which does not have it \
         built in: the root filesystem cannot be mounted",
        ],
    );
}
