//! `tiu verify`: is every byte still what was signed?

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use tiu_testing::assert_output;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{RunOutput, json};
use tiu_testing::stable::{stable, stable_json};
use tiu_testing::tree;

fn updated(kit: &Kit) -> LoopHost {
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host
}

/// After `change` in snapshot 2, verify fails and names each of `places`.
#[track_caller]
fn differs(change: impl FnOnce(&Path), places: &[&str]) -> RunOutput {
    let kit = Kit::new();
    let host = updated(&kit);
    host.edit(2, change);
    let outcome = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in", "from what was signed"]);
    for place in places {
        assert!(outcome.stdout.contains(&format!("DIFFERS  /{place}: ")), "{place}:\n{}", outcome.stdout);
    }
    let report = json(&host.tiu("verify", ["2", "--json"]));
    assert_eq!(report["differences"].as_array().unwrap().len(), places.len(), "{report}");
    outcome
}

#[test]
fn an_untouched_snapshot_is_what_was_signed() {
    let kit = Kit::new();
    let host = updated(&kit);
    assert_output!("verify", stable(&host.tiu("verify", ["2"]).succeeded().stdout, &[]));
    // Without a number, of a host that does not run: what boots next.
    host.tiu("verify", ["1"]).refused(&["snapshot 1 was not made by tiu"]);
    let verified = host.tiu("verify", ["--json"]).succeeded();
    assert_output!("verify_json", stable_json(&verified.stdout, &[]));
    assert!(json(&verified)["entries"].as_u64().unwrap() > 20);
}

#[test]
fn one_changed_byte_with_the_old_time() {
    differs(
        |root| {
            let path = root.join("usr/share/partly");
            let time = path.metadata().unwrap().modified().unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes[123_456] ^= 1;
            fs::write(&path, bytes).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        },
        &["usr/share/partly: content"],
    );
}

#[test]
fn an_added_program() {
    differs(
        |root| tree::script(root, "usr/bin/evil", "#!/bin/sh\n"),
        &["usr/bin/evil: extra", "usr/bin: mtime"],
    );
}

#[test]
fn a_removed_file() {
    differs(
        |root| fs::remove_file(root.join("usr/share/only-1")).unwrap(),
        &["usr/share/only-1: missing", "usr/share: mtime"],
    );
}

#[test]
fn a_set_uid_bit_another_owner_and_an_attribute() {
    let outcome = differs(
        |root| {
            fs::set_permissions(root.join("usr/bin/cat"), PermissionsExt::from_mode(0o4755)).unwrap();
            chown(root.join("usr/share/size-one"), Some(1), None).unwrap();
            let path = root.join("usr/share/size-4096");
            rustix::fs::setxattr(path, "user.a", b"b", rustix::fs::XattrFlags::empty()).unwrap();
        },
        &["usr/bin/cat: mode", "usr/share/size-one: owner", "usr/share/size-4096: xattrs"],
    );
    // Without its progress.
    let error = &outcome.stderr[outcome.stderr.find("tiu: error: ").unwrap()..];
    assert_output!("verify_of_a_changed_snapshot", stable(&(outcome.stdout + error), &[]));
}

#[test]
fn a_link_that_leads_elsewhere() {
    differs(
        |root| {
            fs::remove_file(root.join("usr/share/link")).unwrap();
            symlink("/etc/shadow", root.join("usr/share/link")).unwrap();
        },
        &["usr/share/link: target", "usr/share/link: mtime", "usr/share: mtime"],
    );
}

#[test]
fn an_initrd_that_was_changed_or_is_gone() {
    differs(
        |root| fs::write(root.join("boot/initramfs-6.1.1-test.img"), "other").unwrap(),
        &["boot/initramfs-6.1.1-test.img: content"],
    );
    differs(
        |root| fs::remove_file(root.join("boot/initramfs-6.1.1-test.img")).unwrap(),
        &["boot/initramfs-6.1.1-test.img: content"],
    );
}

#[test]
fn without_a_keyring() {
    let kit = Kit::new();
    let mut host = updated(&kit);
    host.edit(2, |root| fs::remove_file(root.join("etc/tiu/tiu.yaml")).unwrap());
    host.reboot();
    host.tiu("verify", [""; 0]).refused(&["not checked: no keyring", "--keyring"]);
    host.tiu("verify", ["--keyring".as_ref(), kit.keyring().as_os_str()]).succeeded();
}

#[test]
fn by_a_signer_who_is_not_trusted() {
    let kit = Kit::new();
    let host = updated(&kit);
    host.tiu("verify", ["2".as_ref(), "--keyring".as_ref(), Kit::new().keyring().as_os_str()])
        .refused(&["snapshot 2"]);
}

#[test]
fn changes_of_the_administrator_are_no_failure_and_those_since_the_update_are_told_apart() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| tree::file(root, "etc/mine", "before"));
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.edit(2, |root| {
        fs::set_permissions(root.join("etc/hostname"), PermissionsExt::from_mode(0o600)).unwrap();
        tree::file(root, "etc/app.conf", "colour=red\n");
        fs::remove_file(root.join("etc/default/app")).unwrap();
        tree::file(root, "etc/new.d/file", "x");
    });
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    let since = [
        "/etc/app.conf (content)",
        "/etc/default/app (missing)",
        "/etc/hostname (extra)",
        "/etc/new.d/file (extra)",
    ];
    for line in since {
        assert!(shown.contains(&format!("changed since the update: {line}")), "{line}:\n{shown}");
    }
    assert!(shown.contains("modified by admin: /etc/mine (extra)"), "{shown}");
    let report = json(&host.tiu("verify", ["2", "--json"]).succeeded());
    let merged = |path: &str| {
        let etc = report["etc"].as_array().unwrap();
        etc.iter()
            .find(|difference| difference["path"] == path)
            .map(|difference| difference["merged"].clone())
    };
    assert_eq!(merged("etc/mine"), Some(true.into()));
    assert_eq!(merged("etc/app.conf"), Some(false.into()));
}

/// Files of `/etc` with names elsewhere too, before and after them in path order, `/etc/passwd`
/// among them.
fn linked(root: &Path) {
    tree::file(root, "etc/a", "default");
    for name in ["boot/a", "usr/share/a"] {
        fs::hard_link(root.join("etc/a"), root.join(name)).unwrap();
    }
    fs::hard_link(root.join("etc/passwd"), root.join("usr/share/passwd")).unwrap();
}

#[test]
fn a_file_elsewhere_that_was_one_with_a_file_of_etc_is_still_what_was_signed() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, linked)]).succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        fs::remove_file(root.join("etc/a")).unwrap();
        tree::file(root, "etc/a", "ada");
    });
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(shown.contains("changed since the update: /etc/a (content, hardlink"), "{shown}");
    host.tiu("apply", [kit.bundle(2, linked)]).succeeded();
    let shown = host.tiu("verify", ["3"]).succeeded().stdout;
    assert!(shown.contains("modified by admin: /etc/a (content, hardlink"), "{shown}");
}

#[test]
fn a_name_that_became_a_file_of_its_own() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, linked)]).succeeded();
    host.edit(2, |root| {
        let (path, copy) = (root.join("usr/share/a"), root.join("copy"));
        fs::copy(&path, &copy).unwrap();
        let time = path.metadata().unwrap().modified().unwrap();
        fs::File::options().write(true).open(&copy).unwrap().set_modified(time).unwrap();
        fs::rename(copy, path).unwrap();
    });
    let shown = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in"]).stdout;
    assert!(shown.contains("DIFFERS  /usr/share/a: hardlink"), "{shown}");
}
