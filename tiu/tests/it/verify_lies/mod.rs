//! Lies of a suspect: what a changed snapshot says of itself so that `tiu verify` does not look.

mod configuration;
mod mounts;
mod own_files;
mod owners;
mod record;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{RunOutput, json};
use tiu_testing::tree;

const STATE: &str = "usr/lib/sysimage/tiu";
const INITRD: &str = "boot/initramfs-6.1.1-test.img";

fn updated() -> (Kit, LoopHost) {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    (kit, host)
}

/// verify finds `lines` in snapshot 2.
#[track_caller]
fn verify_finds(host: &LoopHost, lines: &[&str]) -> RunOutput {
    let outcome = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in"]);
    for line in lines {
        assert!(outcome.stdout.contains(&format!("DIFFERS  /{line}")), "{line}:\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("All "), "{}", outcome.stdout);
    outcome
}

/// After `lie` in snapshot 2, verify finds `lines` all the same.
#[track_caller]
fn is_found(lie: impl FnOnce(&Path), lines: &[&str]) -> RunOutput {
    let (_kit, host) = updated();
    host.edit(2, lie);
    verify_finds(&host, lines)
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status();
    assert!(status.unwrap().success(), "{program} {arguments:?}");
}

fn evil(root: &Path) {
    fs::write(root.join("usr/bin/cat"), "evil").unwrap();
}

fn append(root: &Path, path: &str, text: &str) {
    let old = fs::read_to_string(root.join(path)).unwrap();
    fs::write(root.join(path), old + text).unwrap();
}

/// Changes the record as JSON.
fn record(root: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = root.join(STATE).join("generated.json");
    let mut record = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut record);
    fs::write(path, record.to_string()).unwrap();
}

/// Says in the record that the file at `path` was made on the host.
fn noted(root: &Path, path: &str) {
    let bytes = fs::read(root.join(path)).unwrap();
    let digest = tiu_bundle::content_digest::digest_bytes(&bytes).to_string();
    record(root, |record| {
        let file = serde_json::json!({ "path": path, "digest": digest });
        record["files"].as_array_mut().unwrap().push(file);
    });
}

#[test]
fn the_copy_of_etc_is_changed_together_with_etc() {
    is_found(
        |root| {
            for path in ["etc/app.conf", "usr/lib/sysimage/tiu/etc/app.conf"] {
                fs::write(root.join(path), "evil").unwrap();
            }
        },
        &["usr/lib/sysimage/tiu/etc/app.conf: content"],
    );
}

#[test]
fn links_attributes_and_other_places_for_directories() {
    is_found(
        |root| {
            fs::hard_link(root.join("usr/bin/cat"), root.join("usr/bin/meow")).unwrap();
            fs::rename(root.join("usr/share"), root.join("usr/moved")).unwrap();
            symlink("moved", root.join("usr/share")).unwrap();
            run("setfacl", &["-m", "u:1000:rwx"], &root.join("usr/bin/sh"));
            let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(root.join("usr/bin/dd"), "security.capability", &capability, flags).unwrap();
            fs::set_permissions(root.join("usr/bin/touch"), PermissionsExt::from_mode(0o6755)).unwrap();
        },
        &[
            "usr/bin/meow: extra",
            "usr/bin/cat: hardlink",
            "usr/share: type",
            "usr/moved: extra",
            "usr/bin/sh: xattrs",
            "usr/bin/dd: xattrs",
            "usr/bin/touch: mode",
        ],
    );
}

#[test]
fn a_label_other_than_the_signed_one() {
    let kit = Kit::new();
    let host = kit.host();
    let label = |path: &Path, label: &[u8]| {
        rustix::fs::setxattr(path, "security.selinux", label, rustix::fs::XattrFlags::empty()).unwrap();
    };
    host.tiu(
        "apply",
        [kit.bundle(1, |root| label(&root.join("usr/bin/cat"), b"system_u:object_r:bin_t:s0\0"))],
    )
    .succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.edit(2, |root| label(&root.join("usr/bin/cat"), b"system_u:object_r:evil_t:s0\0"));
    verify_finds(&host, &["usr/bin/cat: xattrs"]);
}

#[test]
fn strict_fails_for_changes_of_etc_since_the_update() {
    let (_kit, host) = updated();
    host.tiu("verify", ["2", "--strict"]).succeeded();
    host.edit(2, |root| tree::file(root, "etc/new", "x"));
    host.tiu("verify", ["2"]).succeeded();
    host.tiu("verify", ["2", "--strict"]).refused(&["1 path in /etc of snapshot 2 changed since the update"]);
}

#[test]
fn documents_with_secrets_of_etc_are_root_s_alone() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "etc/secret", "1234");
        fs::set_permissions(root.join("etc/secret"), PermissionsExt::from_mode(0o600)).unwrap();
    });
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let digest = tiu_bundle::content_digest::digest_bytes(b"1234").to_string();
    let mode = |number: u32, name: &str| {
        host.snapshot(number).join(STATE).join(name).metadata().unwrap().permissions().mode() & 0o7777
    };
    assert_eq!((mode(2, "etc.json"), mode(2, "generated.json")), (0o600, 0o600));
    let text = fs::read_to_string(host.snapshot(2).join(STATE).join("etc.json")).unwrap();
    assert!(text.contains("etc/secret") && !text.contains(&digest), "{text}");
    // verify and diff know the file as the update left it, and notice a change.
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(shown.contains("modified by admin: /etc/secret"), "{shown}");
    for command in ["status", "verify"] {
        let shown = host.tiu(command, ["--json"]).succeeded().stdout;
        assert!(!shown.contains(&digest), "{command}: {shown}");
    }
    host.edit(2, |root| {
        fs::write(root.join("etc/secret"), "5678").unwrap();
        // As an older tiu left it.
        fs::set_permissions(root.join(STATE).join("etc.json"), PermissionsExt::from_mode(0o644)).unwrap();
    });
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(shown.contains("changed since the update: /etc/secret"), "{shown}");
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert_eq!(mode(3, "etc.json"), 0o600);
}
