//! `tiu pin`: a pinned snapshot survives every clean-up.

use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::tree;

/// A host of which snapper's clean-up keeps nothing that it may remove, with three more snapshots.
fn host_with_snapshots() -> LoopHost {
    let host = LoopHost::with(512, |root: &Path| {
        tree::file(
            root,
            "etc/snapper/configs/root",
            "SUBVOLUME=\"/\"\nFSTYPE=\"btrfs\"\nNUMBER_CLEANUP=\"yes\"\nNUMBER_LIMIT=\"0\"\nNUMBER_LIMIT_IMPORTANT=\"0\"\nNUMBER_MIN_AGE=\"0\"\n",
        );
    });
    for _ in 0..3 {
        host.snapper(&["create", "--cleanup-algorithm", "number"]).succeeded();
    }
    assert_eq!(host.snapshots(), [1, 2, 3, 4]);
    host
}

fn none() -> [&'static str; 0] {
    []
}

#[test]
fn snapper_s_clean_up_leaves_a_pinned_snapshot_and_takes_it_when_it_is_unpinned() {
    let host = host_with_snapshots();
    let shown = host.tiu("pin", ["3"]).succeeded().stdout;
    assert!(shown.contains("Snapshot 3 is pinned"), "{shown}");
    host.snapper(&["cleanup", "number"]).succeeded();
    assert_eq!(host.snapshots(), [1, 3]);
    let listed = host.tiu("list", none()).succeeded().stdout;
    assert!(listed.lines().any(|line| line.contains(" 3 ") && line.contains("ordinary, pinned")), "{listed}");
    let list = json(&host.tiu("list", ["--json"]).succeeded());
    assert_eq!(
        (&list["snapshots"][0]["pinned"], &list["snapshots"][1]["pinned"]),
        (&false.into(), &true.into())
    );

    let report = json(&host.tiu("pin", ["--remove", "3", "--json"]).succeeded());
    assert_eq!((&report["pinned"], &report["cleanup"]), (&false.into(), &"number".into()));
    host.snapper(&["cleanup", "number"]).succeeded();
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn a_snapshot_that_never_had_a_cleanup_algorithm_has_none_afterwards() {
    let host = LoopHost::new();
    host.tiu("pin", ["1"]).succeeded();
    assert!(
        host.tiu("pin", ["--remove", "1"]).succeeded().stdout.contains("no cleanup algorithm, as before")
    );
    let columns = ["--csvout", "list", "--columns", "number,cleanup,userdata"];
    let listed = host.snapper(&columns).succeeded().stdout;
    assert!(listed.lines().any(|line| line == "1,,"), "{listed}");
}

#[test]
fn the_snapshots_of_updates_are_cleaned_up_by_snapper_unless_they_are_pinned() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        tree::file(
            root,
            "etc/snapper/configs/root",
            "SUBVOLUME=\"/\"\nFSTYPE=\"btrfs\"\nNUMBER_CLEANUP=\"yes\"\nNUMBER_LIMIT=\"0\"\nNUMBER_MIN_AGE=\"0\"\n",
        );
    });
    for version in 1..=4 {
        host.tiu("apply", [kit.bundle(version, |_| {})]).succeeded();
        host.reboot();
    }
    host.tiu("pin", ["2"]).succeeded();
    let shown = host.tiu("status", none()).succeeded().stdout;
    assert!(shown.lines().any(|line| line.contains("testos 1") && line.ends_with(", pinned")), "{shown}");
    host.tiu("rollback", ["4"]).succeeded();
    host.snapper(&["cleanup", "number"]).succeeded();
    // 1 has no algorithm, 2 is pinned, 4 boots next, 5 is mounted.
    assert_eq!(host.snapshots(), [1, 2, 4, 5]);
}

#[test]
fn nothing_to_do_and_nothing_to_pin() {
    let host = LoopHost::new();
    let code = |arguments: &[&str]| host.tiu("pin", arguments).code;
    assert_eq!(code(&["--remove", "1"]), Some(77));
    assert_eq!(code(&["1"]), Some(0));
    assert_eq!(code(&["1"]), Some(77));
    host.tiu("pin", ["9"]).refused(&["there is no snapshot 9"]);
    host.snapper(&["create", "--userdata", "tiu-state=in-progress"]).succeeded();
    host.tiu("pin", ["2"]).refused(&["snapshot 2 is unfinished", "tiu cleanup"]);
}

#[test]
fn pinned_between_the_switch_and_the_mark_of_a_run_that_was_cut_off() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let columns = ["--csvout", "list", "--columns", "number,cleanup,userdata"];
    let entry = || {
        let listed = host.snapper(&columns).succeeded().stdout;
        listed.lines().find(|line| line.starts_with("2,")).unwrap().to_owned()
    };
    let done = entry();
    assert!(done.starts_with("2,number,") && done.contains("tiu-state=done"), "{done}");
    // What it is until then: nobody's to clean up.
    host.snapper(&["modify", "--cleanup-algorithm", "", "--userdata", "tiu-state=checked", "2"]).succeeded();
    host.tiu("pin", ["2"]).succeeded();
    assert_eq!(host.tiu("cleanup", none()).code, Some(77));
    let pinned = entry();
    assert!(pinned.starts_with("2,,") && pinned.contains("tiu-state=done"), "{pinned}");
    host.tiu("pin", ["--remove", "2"]).succeeded();
    assert_eq!(entry(), done);
}
