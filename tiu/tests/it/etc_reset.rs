//! `tiu etc reset` of a directory: what is always the host's stays, and a dry run shows it.

use std::fs;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::tree;

/// Files that no reset of a directory takes.
const HOSTS: [&str; 7] = [
    "etc/default/snapper",
    "etc/fstab",
    "etc/hostname",
    "etc/machine-id",
    "etc/snapper/configs/root",
    "etc/tiu/keyring.pem",
    "etc/tiu/tiu.yaml",
];

/// A host whose image has other versions of some of its files.
fn host(kit: &Kit) -> LoopHost {
    let mut host = kit.host_with(512, |root| {
        tree::file(root, "etc/ssh/ssh_host_rsa_key", "key");
        tree::file(root, "etc/ssh/mine", "mine");
    });
    let image = |root: &Path| tree::file(root, "etc/hostname", "image\n");
    host.tiu("apply", [kit.bundle(1, image)]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        tree::file(root, "etc/app.conf", "mine\n");
        fs::remove_file(root.join("etc/default/app")).unwrap();
    });
    host
}

#[test]
fn a_reset_of_all_leaves_what_is_always_the_host_s() {
    let kit = Kit::new();
    let host = host(&kit);
    let shown = host.tiu("etc", ["reset", "/etc"]).succeeded().stdout;
    assert!(shown.contains("Always the host's, so it stays unless it is named itself:\n"), "{shown}");
    let new = host.snapshot(3);
    for path in HOSTS.into_iter().chain(["etc/ssh/ssh_host_rsa_key"]) {
        assert_eq!(fs::read(new.join(path)).ok(), fs::read(host.snapshot(2).join(path)).ok(), "{path}");
        assert!(shown.contains(&format!("  /{path}\n")) || path == "etc/passwd", "{path}: {shown}");
    }
    assert!(!new.join("etc/ssh/mine").exists());
    assert_eq!(fs::read_to_string(new.join("etc/app.conf")).unwrap(), "colour=blue\n");
    assert_eq!(fs::read_to_string(new.join("etc/default/app")).unwrap(), "LEVEL=1\n");
    host.tiu("verify", ["3"]).succeeded();
    // The host can be updated again.
    let next = kit.bundle(2, |_| {});
    host.tiu("apply", [next]).succeeded();
}

#[test]
fn what_is_always_the_host_s_is_reset_if_it_is_named() {
    let kit = Kit::new();
    let host = host(&kit);
    host.tiu("etc", ["reset", "/etc/hostname", "/etc/ssh/ssh_host_rsa_key"]).succeeded();
    let new = host.snapshot(3);
    assert_eq!(fs::read_to_string(new.join("etc/hostname")).unwrap(), "image\n");
    assert!(!new.join("etc/ssh/ssh_host_rsa_key").exists());
    assert_eq!(fs::read_to_string(new.join("etc/ssh/mine")).unwrap(), "mine");
}

#[test]
fn a_directory_with_nothing_else_is_nothing_to_do() {
    let kit = Kit::new();
    let host = host(&kit);
    for path in ["/etc/tiu", "/etc/snapper"] {
        let outcome = host.tiu("etc", ["reset", path]);
        assert_eq!(outcome.code, Some(77), "{path}: {}", outcome.stderr);
        assert!(outcome.stdout.contains("Always the host's"), "{}", outcome.stdout);
    }
    assert_eq!(host.snapshots(), [1, 2]);
}

#[test]
fn a_dry_run_shows_what_would_be_reset_and_changes_nothing() {
    let kit = Kit::new();
    let host = host(&kit);
    let before = host.state();
    let shown = host.tiu("etc", ["reset", "--dry-run", "/etc"]).succeeded().stdout;
    for line in [
        "Would be reset in a new snapshot:\n",
        "change   /etc/app.conf\n",
        "restore  /etc/default/app\n",
        "remove   /etc/ssh/mine\n",
        "  /etc/fstab\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let document = json(&host.tiu("etc", ["reset", "--dry-run", "--json", "/etc"]).succeeded());
    assert_eq!((&document["dry_run"], &document["made"]), (&true.into(), &true.into()));
    let named = |key: &str, path: &str| document[key].as_array().unwrap().contains(&path.into());
    assert!(named("paths", "etc/app.conf") && !named("paths", "etc/fstab"), "{document}");
    assert!(named("always_host", "etc/fstab") && named("always_host", "etc/tiu/keyring.pem"), "{document}");
    assert_eq!(host.tiu("etc", ["reset", "--dry-run", "/etc/tiu"]).code, Some(77));
    host.tiu("etc", ["reset", "--dry-run", "/etc/none"]).refused(&["/etc/none exists neither"]);
    assert_eq!(host.state(), before);
}

#[test]
fn an_fstab_of_the_image_that_cannot_be_parsed_is_not_taken() {
    let kit = Kit::new();
    let mut host = kit.host();
    libbtrfsutil::set_subvolume_read_only(host.snapshot(1), false).unwrap();
    host.tiu("apply", [kit.bundle(1, |root| tree::file(root, "etc/fstab", "garbage\n"))]).succeeded();
    host.reboot();
    let before = fs::read(host.snapshot(2).join("etc/fstab")).unwrap();
    for place in ["running", "snapshot"] {
        host.tiu("etc", ["reset", "--in", place, "/etc/fstab"]).refused(&["/etc/fstab: line 1", "garbage"]);
    }
    assert_eq!(fs::read(host.snapshot(2).join("etc/fstab")).unwrap(), before);
    assert_eq!(host.snapshots(), [1, 2]);
}
