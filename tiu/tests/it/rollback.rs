//! `tiu rollback`: another snapshot boots next.

use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;

fn updated_twice(kit: &Kit) -> LoopHost {
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host.reboot();
    host
}

#[test]
fn back_to_what_the_default_was_made_from_and_forth_again() {
    let kit = Kit::new();
    let mut host = updated_twice(&kit);
    let shown = host.tiu("rollback", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Snapshot 2 boots next: testos 1, as signed by"), "{shown}");
    assert!(shown.contains("tiu rollback 3"), "{shown}");
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 2));
    host.reboot();
    let forth = json(&host.tiu("rollback", ["3", "--json"]).succeeded());
    assert_eq!((&forth["from"], &forth["to"]["number"]), (&2.into(), &3.into()));
    assert_eq!(host.default(), 3);
}

#[test]
fn an_update_after_a_rollback_starts_from_where_one_went_back_to() {
    let kit = Kit::new();
    let mut host = updated_twice(&kit);
    host.tiu("rollback", [""; 0]).succeeded();
    host.reboot();
    host.tiu("apply", [kit.bundle(3, |_| {})]).succeeded();
    assert_eq!(host.default(), 4);
    host.tiu("verify", ["4"]).succeeded();
    let back = json(&host.tiu("status", ["--json"]).succeeded())["back"].clone();
    assert_eq!(back, serde_json::json!([2, 3]));
}

#[test]
fn to_what_boots_next_already() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    let outcome = host.tiu("rollback", ["3"]);
    assert_eq!(outcome.code, Some(77), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("snapshot 3 already boots next"), "{}", outcome.stderr);
}

#[test]
fn to_a_snapshot_that_is_missing_or_has_no_system() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    host.tiu("rollback", ["7"]).refused(&["there is no snapshot 7", "1, 2, 3"]);
    host.tiu("rollback", ["1"]).refused(&["snapshot 1 would not boot", "os-release"]);
    assert_eq!(host.default(), 3);
}

#[test]
fn with_nowhere_to_go() {
    let host = LoopHost::new();
    host.tiu("rollback", [""; 0]).refused(&["no other snapshot with a system"]);
    assert_eq!(host.default(), 1);
}

#[test]
fn to_an_unfinished_snapshot() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    host.snapper(&["modify", "--userdata", "tiu-state=in-progress", "2"]).succeeded();
    host.tiu("rollback", ["2"]).refused(&["snapshot 2 was never finished", "tiu cleanup"]);
    host.tiu("rollback", [""; 0]).refused(&["no other snapshot"]);
    assert_eq!(host.default(), 3);
}

#[test]
fn to_a_snapshot_that_tiu_did_not_make() {
    let kit = Kit::new();
    let host = updated_twice(&kit);
    host.snapper(&["create", "--from", "2", "--read-write", "--description", "by hand"]).succeeded();
    host.snapper(&["modify", "--userdata", "tiu-state=,tiu-version=", "4"]).succeeded();
    host.tiu("rollback", ["4"]).succeeded();
    assert_eq!(host.default(), 4);
}
