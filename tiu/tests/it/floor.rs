//! Downgrades: the version, the time of packing, the configured minimum, and the host's memory
//! beyond a rollback.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::tree;

/// 2023-11-14T22:13:20Z.
const DAY: i64 = 1_700_000_000;

fn memory(host: &LoopHost) -> PathBuf {
    host.root().join(".snapshots/.tiu/state.json")
}

fn newest(host: &LoopHost) -> Value {
    serde_json::from_slice::<Value>(&fs::read(memory(host)).unwrap()).unwrap()["newest"]["testos"].clone()
}

/// A host that has applied version 2, packed on [`DAY`], and went back to version 0.
fn rolled_back(kit: &Kit) -> (LoopHost, PathBuf) {
    let host = kit.host();
    host.tiu("apply", [kit.bundle_at(0, DAY, |_| {})]).succeeded();
    let second = kit.bundle_at(2, DAY, |_| {});
    host.tiu("apply", [&second]).succeeded();
    host.tiu("rollback", ["2"]).succeeded();
    (host, second)
}

#[test]
fn of_two_images_of_one_version_the_one_packed_earlier_is_a_downgrade() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle_at(2, DAY, |_| {})]).succeeded();
    let earlier = kit.bundle_at(2, DAY - 90 * 86400, |root| tree::file(root, "usr/bin/old", "hole\n"));
    host.tiu("apply", [&earlier]).refused(&[
        "the image of version 2 was packed at 2023-08-16",
        "the host has one of the same version that was packed at 2023-11-14T22:13:20Z",
        "that is a downgrade",
        "--allow-downgrade",
    ]);
    // Other images that are not earlier are accepted, also of the same second.
    let later = kit.bundle_at(2, DAY + 1, |root| tree::file(root, "usr/bin/new", "mended\n"));
    host.tiu("apply", [&later]).succeeded();
    host.tiu("apply", [kit.bundle_at(2, DAY + 1, |root| tree::file(root, "usr/bin/other", "x\n"))])
        .succeeded();
    host.tiu("apply", [earlier.as_os_str(), "--allow-downgrade".as_ref()]).succeeded();
}

#[test]
fn a_rollback_does_not_open_the_way_for_an_older_image() {
    let kit = Kit::new();
    let (host, second) = rolled_back(&kit);
    let first = kit.bundle_at(1, DAY + 5, |_| {});
    host.tiu("apply", [&first]).refused(&["version 1, the host has had 2: that is a downgrade"]);
    let earlier = kit.bundle_at(2, DAY - 1, |root| tree::file(root, "usr/bin/old", "hole\n"));
    host.tiu("apply", [&earlier]).refused(&["the host has had one of the same version", "downgrade"]);
    // What was rolled back can be applied again.
    host.tiu("apply", [&second]).succeeded();
}

#[test]
fn an_allowed_downgrade_does_not_lower_what_the_host_remembers() {
    let kit = Kit::new();
    let (host, _) = rolled_back(&kit);
    let first = kit.bundle_at(1, DAY, |_| {});
    host.tiu("apply", [first.as_os_str(), "--allow-downgrade".as_ref()]).succeeded();
    assert_eq!(newest(&host)["version"], "2");
    assert_eq!(newest(&host)["created"], "2023-11-14T22:13:20Z");
    // The image that runs can be applied again.
    host.tiu("apply", [first.as_os_str(), "--force".as_ref()]).succeeded();
    host.tiu("apply", [kit.bundle_at(1, DAY + 9, |_| {})]).refused(&["has had 2: that is a downgrade"]);
}

#[test]
fn a_dry_run_and_a_run_that_fails_remember_nothing() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle_at(2, DAY, |root| tiu_testing::system::dracut(root, "exit 3\n"));
    host.tiu("apply", [bundle.as_os_str(), "--dry-run".as_ref()]).succeeded();
    host.tiu("apply", [&bundle]).refused(&["the initrd"]);
    assert!(!memory(&host).exists());
}

#[test]
fn only_root_can_read_what_the_host_remembers() {
    let kit = Kit::new();
    let (host, _) = rolled_back(&kit);
    let metadata = memory(&host).metadata().unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o600, 0, 0));
    let home = fs::read_dir(memory(&host).parent().unwrap()).unwrap();
    let mut names: Vec<_> = home.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "seals.json", "state.json"]);
}

#[test]
fn without_a_usable_file_the_newest_of_the_snapshots_counts_and_that_is_said() {
    let kit = Kit::new();
    type Damage = (&'static str, fn(&LoopHost));
    let all: [Damage; 6] = [
        ("is missing", |host| fs::remove_file(memory(host)).unwrap()),
        ("is missing", |host| {
            fs::remove_file(memory(host)).unwrap();
            fs::write(memory(host).with_file_name(".state.json.new"), "{").unwrap();
        }),
        ("is damaged", |host| fs::write(memory(host), "").unwrap()),
        ("is damaged", |host| fs::write(memory(host), [0xff; 100]).unwrap()),
        ("could be written by others", |host| {
            fs::write(memory(host), "{\"version\": 1, \"newest\": {}}").unwrap();
            fs::set_permissions(memory(host), PermissionsExt::from_mode(0o666)).unwrap();
        }),
        ("could be written by others", |host| {
            std::os::unix::fs::chown(memory(host), Some(1000), None).unwrap();
        }),
    ];
    for (reason, damage) in all {
        let (host, second) = rolled_back(&kit);
        damage(&host);
        host.tiu("apply", [kit.bundle_at(1, DAY, |_| {})])
            .refused(&["the host has had 2: that is a downgrade"]);
        let planned = host.tiu("apply", [second.as_os_str(), "--dry-run".as_ref(), "--json".as_ref()]);
        let warnings = json(&planned.succeeded())["warnings"].to_string();
        assert!(warnings.contains(&format!(".snapshots/.tiu/state.json {reason}")), "{warnings}");
        host.tiu("apply", [&second]).succeeded();
        assert_eq!(newest(&host)["version"], "2", "{reason}");
        assert_eq!(memory(&host).metadata().unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn what_a_later_tiu_remembers_is_not_overwritten() {
    let kit = Kit::new();
    let (host, second) = rolled_back(&kit);
    let later = r#"{"version": 2, "channels": [7]}"#;
    fs::write(memory(&host), later).unwrap();
    let applied = host.tiu("apply", [&second]).succeeded();
    assert!(
        applied.stdout.contains("state.json has format 2, which this tiu does not know"),
        "{}",
        applied.stdout
    );
    assert_eq!(fs::read_to_string(memory(&host)).unwrap(), later);
    host.tiu("rollback", ["2"]).succeeded();
    host.tiu("apply", [kit.bundle_at(1, DAY, |_| {})]).refused(&["has had 2: that is a downgrade"]);
}

#[test]
fn something_else_in_place_of_the_file_is_named_and_nothing_is_done() {
    let kit = Kit::new();
    let (host, second) = rolled_back(&kit);
    let damage: [fn(&LoopHost); 3] = [
        |host| fs::create_dir(memory(host)).unwrap(),
        |host| symlink("/etc/passwd", memory(host)).unwrap(),
        |host| assert!(std::process::Command::new("mkfifo").arg(memory(host)).status().unwrap().success()),
    ];
    for damage in damage {
        let _ = fs::remove_dir(memory(&host)).or_else(|_| fs::remove_file(memory(&host)));
        damage(&host);
        host.tiu("apply", [&second]).refused(&[".tiu/state.json is not a regular file", "remove it"]);
        assert_eq!(host.snapshots(), [1, 2, 3]);
    }
    fs::remove_file(memory(&host)).unwrap();
    host.tiu("apply", [&second]).succeeded();
}

#[test]
fn a_base_that_nobody_trusted_signed_is_no_floor_and_that_is_said() {
    let (kit, other) = (Kit::new(), Kit::new());
    let host = kit.host();
    // The administrator accepted somebody else's image once.
    let keyring = ["--keyring".into(), other.keyring().into_os_string()];
    host.tiu("apply", [&[other.bundle_at(9, DAY, |_| {}).into_os_string()], &keyring[..]].concat())
        .succeeded();
    fs::remove_file(memory(&host)).unwrap();
    let applied = host.tiu("apply", [kit.bundle_at(2, DAY, |_| {})]).succeeded();
    assert!(
        applied
            .stdout
            .contains("snapshot 2, from which the update starts, does not count for what is a downgrade"),
        "{}",
        applied.stdout
    );
    assert_eq!(newest(&host)["version"], "2");
}

#[test]
fn the_configured_minimum_holds() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let path = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + "min-version: 2.10\n").unwrap();
    });
    let first = kit.bundle_at(2, DAY, |_| {});
    let expected = ["version 2, the host's configuration accepts 2.10 or later", "min-version"];
    host.tiu("apply", [&first]).refused(&expected);
    host.tiu("apply", [first.as_os_str(), "--allow-downgrade".as_ref()]).refused(&expected);
    host.tiu("apply", [kit.bundle_at(3, DAY, |_| {})]).succeeded();
}
