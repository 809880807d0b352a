//! `tiu apply`: from a bundle to what boots next.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tiu_testing::assert_output;
use tiu_testing::kit::{Kit, Recipe, SIGNER};
use tiu_testing::program::json;
use tiu_testing::stable::{stable, stable_json};
use tiu_testing::tree;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn two_versions_one_after_the_other() {
    let kit = Kit::new();
    let mut host = kit.host();
    let mounts = host.mounts();

    let first = host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert_output!("apply", stable(&first.stdout, &[]));
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
    let one = host.snapshot(2);
    assert_eq!(read(one.join("usr/share/only-1")), "here");
    assert_eq!(read(one.join("etc/hostname")), "test-host\n", "what the installer left stays");
    assert_eq!(read(one.join("etc/app.conf")), "colour=blue\n");
    assert!(read(one.join("boot/initramfs-6.1.1-test.img")).contains("initrd for 6.1.1-test\n"));
    assert_eq!(host.mounts(), mounts, "mounts leaked");

    host.reboot();
    let second = host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert_output!("apply_over_another_version", stable(&second.stdout, &[]));
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
    let two = host.snapshot(3);
    assert_eq!(read(two.join("usr/share/only-2")), "here");
    assert!(!two.join("usr/share/only-1").exists());
    assert!(!two.join("usr/lib/modules/6.1.1-test").exists());
    assert!(!two.join("boot/initramfs-6.1.1-test.img").exists());
    assert_eq!(read(two.join("etc/default/app")), "LEVEL=2\n");
    assert_eq!(
        two.join("usr/share/same").metadata().unwrap().ino(),
        two.join("usr/share/same-again").metadata().unwrap().ino()
    );
    // Untouched: the same inode as in the snapshot that it was made from.
    assert_eq!(
        one.join("usr/share/same").metadata().unwrap().ino(),
        two.join("usr/share/same").metadata().unwrap().ino()
    );
    assert_eq!(read(one.join("usr/share/only-1")), "here", "the base is as it was");
    for number in ["2", "3"] {
        host.tiu("verify", [number]).succeeded();
    }
    let userdata =
        host.snapper(&["list", "--columns", "number,userdata,cleanup,description"]).succeeded().stdout;
    for text in ["tiu-state=done", "tiu-version=2", "tiu-compatible=testos", "number", "tiu: testos 2"] {
        assert!(userdata.contains(text), "{text}:\n{userdata}");
    }
    let ro = |n| libbtrfsutil::subvolume_read_only(host.snapshot(n)).unwrap();
    assert!(ro(2) && ro(3));
}

#[test]
fn a_writable_base_gives_a_writable_snapshot() {
    let kit = Kit::new();
    let host = kit.host();
    libbtrfsutil::set_subvolume_read_only(host.snapshot(1), false).unwrap();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert!(!libbtrfsutil::subvolume_read_only(host.snapshot(2)).unwrap());
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn what_lies_in_the_host_s_own_places_is_not_touched() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "usr/local/mine", "host");
        tree::file(root, "usr/share/addon/mine", "host");
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", config + "host-paths: [/addon, /usr/share/addon]\n");
    });
    tree::file(&host.root(), "var/lib/data", "host");
    tree::file(&host.root(), "home/ada/file", "host");
    let bundle = kit.bundle(1, |root| tree::file(root, "addon/theirs", "image"));
    let applied = host.tiu("apply", [bundle]).succeeded();
    assert!(applied.stdout.contains("warning: /addon belongs to the host: 1 "), "{}", applied.stdout);
    let new = host.snapshot(2);
    assert_eq!(read(new.join("usr/local/mine")), "host");
    assert_eq!(read(new.join("usr/share/addon/mine")), "host");
    assert!(!new.join("addon/theirs").exists());
    assert_eq!(read(host.root().join("var/lib/data")), "host");
    assert_eq!(read(host.root().join("home/ada/file")), "host");
    host.tiu("verify", ["2", "--accept", "/usr/share/addon"]).succeeded();
}

#[test]
fn json_says_what_was_done() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let applied = host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded();
    assert_output!("apply_json", stable_json(&applied.stdout, &[]));
    assert!(json(&applied)["summary"]["written"].as_u64().unwrap() > 5);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let shown = host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded().stdout;
    assert_output!("apply_dry_run", stable(&shown, &[]));
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
}

#[test]
fn the_image_that_the_host_has_already() {
    let kit = Kit::new();
    let mut host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    host.tiu("apply", [&bundle]).succeeded();
    let again = host.tiu("apply", [&bundle]);
    assert_eq!(again.code, Some(77), "{}", again.stderr);
    assert!(
        again.stderr.contains("version 1 of testos is already installed and boots next"),
        "{}",
        again.stderr
    );
    assert_eq!(host.snapshots(), [1, 2]);

    host.reboot();
    let forced =
        json(&host.tiu("apply", ["--force".as_ref(), "--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(forced["summary"]["written"], 0, "{forced}");
    assert_eq!(host.default(), 3);
}

#[test]
fn an_older_image() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    let older = kit.bundle(1, |_| {});
    host.tiu("apply", [&older]).refused(&["version 1", "has 2", "downgrade", "--allow-downgrade"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
    host.tiu("apply", ["--allow-downgrade".as_ref(), older.as_os_str()]).succeeded();
    assert_eq!(host.default(), 3);
}

#[test]
fn an_image_for_another_kind_of_host() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle_of(1, Recipe { compatible: "otheros", version: "1", more: "" }, |_| {});
    host.tiu("apply", [bundle]).refused(&["\"otheros\"", "\"testos\""]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn a_host_that_does_not_say_what_it_is() {
    let kit = Kit::new();
    let host =
        kit.host_with(512, |root| tree::file(root, "etc/tiu/tiu.yaml", "keyring: /etc/tiu/keyring.pem\n"));
    host.tiu("apply", [kit.bundle(1, |_| {})]).refused(&["does not say what it is", "compatible: testos"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_image_of_another_operating_system() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| tree::file(root, "usr/lib/os-release", "ID=elsewhere\n"));
    host.tiu("apply", [kit.bundle(1, |_| {})]).refused(&["\"testos\"", "\"elsewhere\""]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_image_for_another_processor() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle =
        kit.bundle_of(1, Recipe { compatible: "testos", version: "1", more: "arch: s390x\n" }, |_| {});
    host.tiu("apply", [bundle]).refused(&["s390x", std::env::consts::ARCH]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_image_that_needs_a_newer_host() {
    let kit = Kit::new();
    let mut host = kit.host();
    let needy = |version, floor| {
        let more = format!("min-version: \"{floor}\"\n");
        kit.bundle_of(2, Recipe { compatible: "testos", version, more: &more }, |_| {})
    };
    host.tiu("apply", [needy("2", "1")]).refused(&["at least version 1", "none that is known"]);
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.tiu("apply", [needy("2", "1.5")]).refused(&["at least version 1.5", "has 1"]);
    assert_eq!(host.snapshots(), [1, 2]);
    host.tiu("apply", [needy("2", "1")]).succeeded();
}

#[test]
fn a_bundle_of_a_stranger() {
    let (kit, stranger) = (Kit::new(), Kit::new());
    let host = kit.host();
    host.tiu("apply", [stranger.bundle(1, |_| {})]).refused(&[SIGNER]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn a_flipped_bit_in_the_image() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(9, 4_000_000)));
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[2_000_000] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let refused = host.tiu("apply", [bundle]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("damaged"), "{}", refused.stderr);
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
}

#[test]
fn a_base_whose_index_was_changed() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.edit(2, |root| fs::write(root.join("usr/lib/sysimage/tiu/index.zst"), "x").unwrap());
    let applied = host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded().stdout;
    assert!(applied.contains("warning: snapshot 2: usr/lib/sysimage/tiu/index.zst: "), "{applied}");
    // What the old image brought is not known.
    assert!(
        applied.contains("what the image does not have") && applied.contains("/usr/share/only-1 (4 B)"),
        "{applied}"
    );
    assert!(!applied.contains("/usr/share/changed"), "{applied}");
}

#[test]
fn a_symlink_in_the_base_leads_nowhere_outside() {
    let kit = Kit::new();
    let outside = tempfile::tempdir().unwrap();
    tree::file(outside.path(), "only-1", "safe");
    let host = kit.host_with(512, |root| {
        std::os::unix::fs::symlink(outside.path(), root.join("usr/share")).unwrap();
        std::os::unix::fs::symlink("../../../../../../../..", root.join("usr/lib/modules")).unwrap();
    });
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    assert_eq!(read(outside.path().join("only-1")), "safe");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(host.snapshot(2).join("usr/share").symlink_metadata().unwrap().is_dir());
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn a_keyring_behind_an_absolute_symlink_is_the_host_s_own() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let etc = root.join("etc/tiu");
        fs::create_dir_all(root.join("usr/share/vendor")).unwrap();
        fs::rename(etc.join("keyring.pem"), root.join("usr/share/vendor/ca.pem")).unwrap();
        std::os::unix::fs::symlink("/usr/share/vendor/ca.pem", etc.join("keyring.pem")).unwrap();
    });
    let vendor = |root: &Path| tree::file(root, "usr/share/vendor/ca.pem", fs::read(kit.keyring()).unwrap());
    host.tiu("apply", [kit.bundle(1, vendor)]).succeeded();
}

#[test]
fn plugins_of_the_running_system_s_snapper_do_not_run_for_another_host() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let log = kit.path("log");
    // Plugins for this test alone: in a mount namespace of its own.
    let script = format!(
        "set -e
         mount -t tmpfs tmpfs /usr/lib/snapper; mkdir /usr/lib/snapper/plugins
         printf '#!/bin/sh\necho \"$@\" >>{log}\n' >/usr/lib/snapper/plugins/50-test
         chmod 755 /usr/lib/snapper/plugins/50-test
         snapper --no-dbus --root {root} create; mv {log} {log}.plain
         {tiu} apply --root {root} --progress none {bundle}",
        log = log.display(),
        root = host.root().display(),
        tiu = tiu_testing::program::path("tiu").display(),
        bundle = bundle.display(),
    );
    let arguments = ["--mount", "--propagation", "private", "sh", "-c", &script].map(AsRef::as_ref);
    tiu_testing::program::tool("unshare", "util-linux", &arguments).succeeded();
    assert_eq!(read(kit.path("log.plain")), "create-snapshot / btrfs 2\n", "the plugin does not work");
    assert!(!log.exists(), "{}", read(&log));
    assert_eq!(host.default(), 3);
}

#[test]
fn the_progress_names_each_step_once() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let arguments = ["--progress".as_ref(), "plain".as_ref(), bundle.as_os_str()];
    let applied = host.tiu("apply", arguments).succeeded();
    let steps: Vec<&str> = applied.stderr.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let expected = [
        "Verifying the bundle",
        "Merging /etc",
        "Comparing files",
        "Copying files",
        "Making the initrd",
        "Checking the snapshot",
        "Making it boot next",
    ];
    assert_eq!(steps, expected, "{}", applied.stderr);
    let verified = host.tiu("verify", ["2", "--progress", "plain"]).succeeded();
    let steps: Vec<&str> =
        verified.stderr.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(steps, ["Verifying the snapshot"], "{}", verified.stderr);
}

#[test]
fn a_dry_run_as_json_is_what_the_update_then_does() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let before = host.state();
    let arguments = ["--json".as_ref(), "--dry-run".as_ref(), bundle.as_os_str()];
    let planned = json(&host.tiu("apply", arguments).succeeded());
    assert_eq!(host.state(), before);
    assert_eq!((&planned["version"], &planned["dry_run"]), (&1.into(), &true.into()), "{planned}");
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert!(applied.get("dry_run").is_none(), "{applied}");
    for key in [
        "base",
        "image",
        "signer",
        "etc_kept",
        "etc_conflicts",
        "accounts",
        "persistent",
        "not_installed",
        "warnings",
    ] {
        assert!(!planned[key].is_null() && planned[key] == applied[key], "{key}: {planned}\n{applied}");
    }
    assert_eq!(planned["summary"]["written"], applied["summary"]["written"]);
    for key in ["snapshot", "generated", "removed", "seconds"] {
        assert!(planned.get(key).is_none() && applied.get(key).is_some(), "{key}");
    }
}
