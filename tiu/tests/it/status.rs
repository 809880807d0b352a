//! `tiu status` and `tiu list`: what there is to say, for people and for programs.

use std::fs;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, SIGNER};
use tiu_testing::program::json;
use tiu_testing::tree;

/// A host with version 1 as snapshot 2 and version 2 as snapshot 3.
fn updated_twice(kit: &Kit) -> LoopHost {
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host
}

#[test]
fn a_new_host_has_one_snapshot_and_no_way_back() {
    let host = LoopHost::new();
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Mounted    1  first root filesystem"), "{shown}");
    assert!(shown.contains("Next boot  1  the same"), "{shown}");
    assert!(shown.contains("Back to    -"), "{shown}");
    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!((&status["running"], &status["next"]), (&1.into(), &1.into()));
    assert_eq!(status["live"], false);
    assert_eq!(status["snapshots"][0]["state"], "ordinary");
    assert_eq!(status["snapshots"][0]["signature"]["state"], "none");
}

#[test]
fn after_two_updates_it_says_what_runs_what_is_next_what_was_and_who_signed() {
    let kit = Kit::new();
    let mut host = updated_twice(&kit);
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    let line = |start: &str| {
        let found = shown.lines().find(|line| line.trim_start().starts_with(start));
        found.unwrap_or_else(|| panic!("no {start:?}:\n{shown}"))
    };
    assert!(line("Mounted").contains("testos 1"), "{shown}");
    assert!(line("Next boot").contains("testos 2"), "{shown}");
    assert!(line("Next boot").contains(&format!("as signed by CN={SIGNER}")), "{shown}");
    assert!(line("Back to").contains("2  testos 1"), "{shown}");

    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!((&status["running"], &status["next"]), (&2.into(), &3.into()));
    assert_eq!(status["back"], serde_json::json!([2]));
    let last = &status["snapshots"][2];
    assert_eq!(last["state"], "done");
    assert_eq!(last["image"]["version"], "2");
    assert_eq!(last["image"]["compatible"], "testos");
    assert_eq!(last["signature"]["state"], "as-signed");
    assert!(last["signature"]["signer"]["subject"].as_str().unwrap().contains(SIGNER));
    assert_eq!(last["read_only"], true);
    assert_eq!(last["bootable"], true);
    assert_eq!(last["problem"], serde_json::Value::Null);

    host.reboot();
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Mounted    3  testos 2"), "{shown}");
    assert!(shown.contains("Next boot  3  the same"), "{shown}");
}

#[test]
fn what_runs_and_what_boots_next_are_compared_with_what_was_signed_as_far_as_metadata_go() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    let status = || json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(status()["differs"], serde_json::json!([]));
    host.edit(2, |root| tree::file(root, "usr/bin/evil", "#!/bin/sh\n"));
    // An administrator may.
    host.edit(3, |root| tree::file(root, "etc/app.conf", "colour=red\n"));
    let differs = status()["differs"].clone();
    assert_eq!((differs.as_array().unwrap().len(), &differs[0]["snapshot"]), (1, &2.into()));
    let paths: Vec<_> = differs[0]["differences"].as_array().unwrap().iter().map(|d| &d["path"]).collect();
    assert_eq!(paths, ["usr/bin", "usr/bin/evil"]);
    host.edit(3, |root| fs::remove_file(root.join("boot/initramfs-6.1.2-test.img")).unwrap());
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(
        shown.contains("Snapshot 2 DIFFERS from what was signed: /usr/bin, /usr/bin/evil; tiu verify 2"),
        "{shown}"
    );
    assert!(
        shown.contains("Snapshot 3 DIFFERS from what was signed: /boot/initramfs-6.1.2-test.img;"),
        "{shown}"
    );

    // What only reading shows is for verify.
    host.edit(3, |root| {
        tree::file(root, "boot/initramfs-6.1.2-test.img", "");
        let path = root.join("usr/share/size-one");
        let time = path.metadata().unwrap().modified().unwrap();
        fs::write(&path, "?").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    });
    assert_eq!(status()["differs"].as_array().unwrap().len(), 1);
    host.tiu("verify", ["3"]).refused(&["snapshot 3 differs in 2 places"]);
}

#[test]
fn without_a_keyring_signatures_are_not_checked_and_it_says_so() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.edit(2, |root| fs::remove_file(root.join("etc/tiu/tiu.yaml")).unwrap());
    host.reboot();
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("signature not checked: no keyring"), "{shown}");
    assert!(!shown.contains(SIGNER), "{shown}");
}

#[test]
fn a_signer_who_is_not_trusted_any_more_and_a_manifest_or_index_that_was_changed() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    let stranger = Kit::new();
    let keyring = stranger.keyring();
    let shown = host.tiu("status", ["--keyring".as_ref(), keyring.as_os_str()]).succeeded().stdout;
    assert!(shown.contains("NOT TRUSTED"), "{shown}");

    host.edit(3, |root| {
        let path = root.join("usr/lib/sysimage/tiu/bundle.cms");
        let mut cms = fs::read(&path).unwrap();
        let at = cms.windows(9).position(|window| window == b"version=2").unwrap();
        cms[at + 8] = b'3';
        fs::write(path, cms).unwrap();
    });
    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(status["snapshots"][2]["signature"]["state"], "not-trusted");

    host.edit(2, |root| fs::remove_file(root.join("usr/lib/sysimage/tiu/index.zst")).unwrap());
    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(status["snapshots"][1]["signature"]["state"], "changed");
    assert!(status["snapshots"][1]["problem"].as_str().unwrap().contains("index.zst is missing"));
    let listed = host.tiu("list", [""; 0]).succeeded().stdout;
    assert!(listed.contains("CHANGED: "), "{listed}");
}

#[test]
fn a_signed_manifest_that_leads_through_a_symlink_is_not_read() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    host.edit(3, |root| {
        let path = root.join("usr/lib/sysimage/tiu/bundle.cms");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(host.snapshot(2).join("usr/lib/sysimage/tiu/bundle.cms"), path).unwrap();
    });
    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(status["snapshots"][2]["signature"]["state"], "changed");
}

#[test]
fn the_list_has_every_snapshot_with_marks() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    let listed = host.tiu("list", [""; 0]).succeeded().stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(
        lines[1].contains("1") && lines[1].contains("ordinary") && lines[1].contains("no image"),
        "{listed}"
    );
    assert!(
        lines[2].starts_with('>') && lines[2].contains("testos 1") && lines[2].contains("6.1.1-test"),
        "{listed}"
    );
    assert!(lines[3].starts_with(" *") && lines[3].contains("testos 2"), "{listed}");
    let list = json(&host.tiu("list", ["--json"]).succeeded());
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 3);
}

#[test]
fn what_a_snapshot_says_cannot_steer_the_terminal() {
    let host = LoopHost::new();
    host.snapper(&["create", "--description", "a\u{1b}[31mb"]).succeeded();
    for command in ["status", "list"] {
        let shown = host.tiu(command, [""; 0]).succeeded().stdout;
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
