//! `tiu status` and `tiu list`: what there is to say, for people and for programs.

use std::fs;
use tiu_testing::assert_output;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, SIGNER};
use tiu_testing::program::json;
use tiu_testing::stable::{stable, stable_json};
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
    let known = [(host.scratch(), "TEST")];
    assert_output!("status_of_a_new_host", stable(&host.tiu("status", [""; 0]).succeeded().stdout, &known));
    let status = host.tiu("status", ["--json"]).succeeded().stdout;
    assert_output!("status_of_a_new_host_json", stable_json(&status, &known));
}

#[test]
fn after_two_updates_it_says_what_runs_what_is_next_what_was_and_who_signed() {
    let kit = Kit::new();
    let mut host = updated_twice(&kit);
    let scratch = host.scratch().to_owned();
    let known = [(scratch.as_path(), "TEST")];
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert_output!("status_after_two_updates", stable(&shown, &known));
    let status = host.tiu("status", ["--json"]).succeeded().stdout;
    assert_output!("status_after_two_updates_json", stable_json(&status, &known));

    host.reboot();
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Mounted    3  testos 2"), "{shown}");
    assert!(shown.contains("Next boot  3  the same"), "{shown}");
}

#[test]
fn what_runs_and_what_boots_next_are_compared_with_what_was_signed() {
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

    // Content that changed without a trace in size and time is seen, too.
    host.edit(3, |root| {
        tree::file(root, "boot/initramfs-6.1.2-test.img", "");
        let path = root.join("usr/share/size-one");
        let time = path.metadata().unwrap().modified().unwrap();
        fs::write(&path, "?").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    });
    let differs = status()["differs"].clone();
    let content: Vec<_> = differs[1]["differences"].as_array().unwrap().iter().map(|d| &d["path"]).collect();
    assert_eq!(content, ["boot/initramfs-6.1.2-test.img", "usr/share/size-one"]);
    host.tiu("verify", ["3"]).refused(&["snapshot 3 differs in 2 places"]);
    // Without a seal no file is read.
    fs::remove_file(host.root().join(".snapshots/.tiu/seals.json")).unwrap();
    assert_eq!(status()["differs"].as_array().unwrap().len(), 1);
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
    let known = [(host.scratch(), "TEST")];
    assert_output!("list", stable(&host.tiu("list", [""; 0]).succeeded().stdout, &known));
    assert_output!("list_json", stable_json(&host.tiu("list", ["--json"]).succeeded().stdout, &known));
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
