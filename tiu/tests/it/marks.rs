//! `tiu mark-good`, `tiu mark-bad`, and images that did not start.

use std::fs;
use std::path::Path;
use tiu_testing::esp::{self, Esp, boots};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::program::json;

/// A host whose boot entries tiu writes.
fn host_with_entries(kit: &Kit) -> (LoopHost, Esp) {
    let host = kit.host_with(512, |root| {
        esp::system(root);
        let config = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&config).unwrap() + "boot: bls\n";
        fs::write(config, text).unwrap();
    });
    let esp = Esp::new(&host, 128);
    (host, esp)
}

fn failed(host: &LoopHost) -> serde_json::Value {
    json(&host.tiu("status", ["--json"]).succeeded())["failed"].clone()
}

fn refused(host: &LoopHost, bundle: &Path, reason: &str) {
    let words = ["did not work on this host", reason, "--force", "tiu mark-good"];
    host.tiu("apply", [bundle]).refused(&words);
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).refused(&words);
}

#[test]
fn an_image_that_did_not_start_is_noted_and_refused_until_it_is_forced_and_works() {
    let kit = Kit::new();
    let (mut host, esp) = host_with_entries(&kit);
    let bundle = kit.bundle(1, esp::system);
    host.tiu("apply", [&bundle]).succeeded();
    let entries = esp.root(&host).join("loader/entries");
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("boots snapshot 2 (on trial, 3 attempts left); if that"), "{shown}");
    fs::rename(entries.join("tiu-2-2+3.conf"), entries.join("tiu-2-2+0-3.conf")).unwrap();
    // The boot loader went back: the first run follows.
    host.tiu("cleanup", [""; 0]);
    assert_eq!((host.default(), boots(&host)), (1, (Some(1), Some(1))));
    let notes = failed(&host);
    let note = &notes[0];
    assert_eq!((&note["version"], &note["boots"]), (&"1".into(), &3.into()), "{notes}");
    assert_eq!(note["reason"], "it did not start in 3 boots");
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Version 1 of testos did not work here ("), "{shown}");
    assert!(!shown.contains("Back to    2"), "{shown}");
    refused(&host, &bundle, "it did not start in 3 boots");
    // The note outlasts the snapshot, and is for this image alone.
    host.snapper(&["delete", "2"]).succeeded();
    refused(&host, &bundle, "it did not start in 3 boots");
    let second = kit.bundle(2, esp::system);
    host.tiu("apply", ["--dry-run".as_ref(), second.as_os_str()]).succeeded();

    host.tiu("apply", ["--force".as_ref(), bundle.as_os_str()]).succeeded();
    let number = host.default();
    host.reboot();
    esp.mount(&host);
    host.tiu("mark-good", [""; 0]).succeeded();
    assert_eq!(failed(&host), serde_json::json!([]));
    let names = esp.names(&host);
    let good = |name: &String| name.ends_with(&format!("-{number}.conf"));
    assert!(names.iter().any(good) && !names.iter().any(|name| name.contains('+')), "{names:?}");
    assert_eq!(boots(&host), (Some(number.into()), Some(number.into())));
    assert_eq!(host.tiu("mark-good", [""; 0]).code, Some(77));
}

/// The third attempt takes the last one away before it starts. Then systemd-bless-boot, which knows
/// nothing of tiu's notes, says that it succeeded.
#[test]
fn a_last_attempt_that_is_running_is_no_failure_and_one_that_is_blessed_is_forgiven() {
    let kit = Kit::new();
    let (mut host, esp) = host_with_entries(&kit);
    let bundle = kit.bundle(1, |root| {
        esp::system(root);
        live::programs(root);
    });
    host.tiu("mark-bad", ["1", "--reason", "x"]).refused(&["snapshot 1 would still boot next"]);
    host.tiu("apply", [&bundle]).succeeded();
    let entries = esp.root(&host).join("loader/entries");
    let rename = |from: &str, to: &str| fs::rename(entries.join(from), entries.join(to)).unwrap();
    rename("tiu-2-2+3.conf", "tiu-2-2+0-3.conf");
    host.tiu("cleanup", [""; 0]);
    assert_eq!((host.default(), failed(&host)[0]["boots"].clone()), (1, 3.into()));
    // It is tried again, and its last attempt runs.
    host.tiu("rollback", ["2"]).succeeded();
    host.reboot();
    esp.mount(&host);
    rename("tiu-3-2+3.conf", "tiu-3-2+0-3.conf");
    live::tiu(&host, &[], ["cleanup"]);
    assert_eq!((host.default(), failed(&host).as_array().unwrap().len()), (2, 1));
    rename("tiu-3-2+0-3.conf", "tiu-3-2.conf");
    live::tiu(&host, &[], ["cleanup"]);
    assert_eq!((host.default(), boots(&host).0), (2, Some(2)));
    assert_eq!(failed(&host), serde_json::json!([]));
}

#[test]
fn a_snapshot_that_is_marked_as_bad_no_longer_boots_next() {
    let kit = Kit::new();
    let (mut host, esp) = host_with_entries(&kit);
    host.tiu("apply", [kit.bundle(1, esp::system)]).succeeded();
    host.reboot();
    esp.mount(&host);
    host.tiu("mark-good", [""; 0]).succeeded();
    let second = kit.bundle(2, esp::system);
    host.tiu("apply", [&second]).succeeded();
    host.reboot();
    esp.mount(&host);
    let marked = host.tiu("mark-bad", ["--json", "--reason", "no network"]).succeeded();
    assert_eq!(json(&marked)["to"], 2);
    assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(2))));
    refused(&host, &second, "no network");
    assert_eq!(failed(&host)[0]["boots"], serde_json::Value::Null);
    // Its entry is the last resort: another trial that fails does not fall on it.
    assert!(esp.names(&host).contains(&"tiu-3-3+0.conf".to_owned()), "{:?}", esp.names(&host));
    host.tiu("apply", [kit.bundle(3, esp::system)]).succeeded();
    assert_eq!(boots(&host), (Some(4), Some(2)));
}

#[test]
fn marks_work_without_boot_entries() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    assert_eq!(host.tiu("mark-good", ["2"]).code, Some(77), "nothing is on trial");
    let second = kit.bundle(2, |_| {});
    host.tiu("apply", [&second]).succeeded();
    // One that does not boot next is only noted.
    let marked = host.tiu("mark-bad", ["3", "--reason", "bad\u{1b}[31m"]).succeeded();
    assert!(marked.stdout.contains("Snapshot 2 boots next instead."), "{}", marked.stdout);
    assert_eq!(host.default(), 2);
    refused(&host, &second, "bad\\u{1b}[31m");
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    host.tiu("mark-good", ["3"]).succeeded();
    assert_eq!(failed(&host), serde_json::json!([]));
    assert_eq!(host.default(), 2, "a mark does not switch");
}

#[test]
fn what_boots_next_cannot_be_bad_if_there_is_nothing_else() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("mark-bad", [""; 0]).refused(&["snapshot 1 would still boot next", "tiu apply BUNDLE"]);
    host.tiu("mark-bad", ["7"]).refused(&["snapshot 7"]);
    assert_eq!(host.default(), 1);
}

/// The rest of the memory must not be lost, and a damaged file stops nothing.
#[test]
fn a_damaged_memory_stops_no_mark_and_is_not_replaced() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    let path = host.root().join(".snapshots/.tiu/state.json");
    let before: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    host.tiu("mark-bad", ["3"]).succeeded();
    let after: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(after["newest"], before["newest"]);
    host.tiu("rollback", ["3"]).succeeded();
    fs::write(&path, "{").unwrap();
    host.tiu("mark-bad", ["3"]).succeeded();
    assert_eq!(fs::read(&path).unwrap(), b"{");
    assert_eq!(host.default(), 2);
}
