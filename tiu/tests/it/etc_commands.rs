//! `tiu etc`: what differs, conflicts, going back to the image's version.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use tiu_testing::assert_output;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::stable::{stable, stable_json};
use tiu_testing::system::nest_etc;
use tiu_testing::tree::file;

/// A host that runs image 1, with what an administrator did to it; and the next image, which
/// changes some of the same.
fn host(kit: &Kit, nested: bool) -> LoopHost {
    let mut host = kit.host_with(512, |root| {
        if nested {
            nest_etc(root)
        }
    });
    host.tiu("apply", [kit.bundle(1, defaults)]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        file(root, "etc/app.conf", "colour=red\n");
        fs::remove_file(root.join("etc/d/removed")).unwrap();
        fs::set_permissions(root.join("etc/d/mode"), PermissionsExt::from_mode(0o600)).unwrap();
        fs::remove_file(root.join("etc/d/type")).unwrap();
        symlink("/nowhere", root.join("etc/d/type")).unwrap();
        file(root, "etc/mine/file", "ada\n");
    });
    host
}

fn defaults(root: &Path) {
    for name in ["removed", "mode", "type"] {
        file(root, &format!("etc/d/{name}"), "default\n");
    }
}

/// The second image.
fn changed(root: &Path) {
    defaults(root);
    file(root, "etc/app.conf", "colour=green\nsize=1\n");
    file(root, "etc/d/mode", "second\n");
}

fn lines(text: &str) -> Vec<&str> {
    // The administrator of the fixture has some files of his own.
    let own = ["fstab", "hostname", "machine-id", "snapper", "etc/tiu"];
    text.lines().filter(|line| !own.iter().any(|own| line.contains(own))).collect()
}

fn conflicts(host: &LoopHost) -> Vec<String> {
    let value = json(&host.tiu("etc", ["conflicts", "--json"]).succeeded());
    let paths = value["conflicts"].as_array().unwrap().iter();
    paths.map(|conflict| conflict["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn diff_tells_what_was_added_modified_and_deleted() {
    let kit = Kit::new();
    let host = host(&kit, false);
    let shown = host.tiu("etc", ["diff"]).succeeded().stdout;
    assert_eq!(
        lines(&shown),
        [
            "M /etc/app.conf  (content)",
            "M /etc/d/mode  (mode)",
            "D /etc/d/removed",
            "M /etc/d/type  (type)",
            "A /etc/mine",
            "A /etc/mine/file",
        ]
    );
    let patch = host.tiu("etc", ["diff", "-p", "/etc/app.conf", "/etc/d"]).succeeded().stdout;
    let expected = "M /etc/app.conf  (content)
--- /usr/lib/sysimage/tiu/etc/app.conf
+++ /etc/app.conf
@@ -1 +1 @@
-colour=blue
+colour=red
M /etc/d/mode  (mode)
mode 0644 -> 0600
D /etc/d/removed
--- /usr/lib/sysimage/tiu/etc/d/removed
+++ /dev/null
@@ -1 +0,0 @@
-default
M /etc/d/type  (type)
type regular file -> symbolic link
--- /usr/lib/sysimage/tiu/etc/d/type
+++ /etc/d/type
@@ -1 +1 @@
-default
+-> /nowhere
";
    assert_eq!(patch, expected);
    assert_output!("etc_diff", stable(&shown, &[]));
    let diff = host.tiu("etc", ["diff", "--json"]).succeeded().stdout;
    assert_output!("etc_diff_json", stable_json(&diff, &[]));
    let value = json(&host.tiu("etc", ["diff", "--json", "-p", "/etc/d/mode"]).succeeded());
    let change = &value["changes"][0];
    assert_eq!((change["path"].as_str(), change["change"].as_str()), (Some("etc/d/mode"), Some("M")));
    assert_eq!(
        (change["default"]["mode"].as_str(), change["host"]["mode"].as_str()),
        (Some("0644"), Some("0600"))
    );
    assert_eq!(value["snapshot"], 2);
}

#[test]
fn a_snapshot_without_an_image_has_no_defaults() {
    let kit = Kit::new();
    let host = kit.host();
    for command in ["diff", "conflicts", "report"] {
        host.tiu("etc", [command]).refused(&["snapshot 1"]);
    }
    host.tiu("etc", ["diff", "--snapshot", "7"]).refused(&["no snapshot 7"]);
}

#[test]
fn paths_outside_of_etc() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, defaults)]).succeeded();
    host.reboot();
    for path in ["/usr/bin", "app.conf", "/etc/../usr"] {
        host.tiu("etc", ["reset", path]).refused(&["is not a path in /etc"]);
        host.tiu("etc", ["keep", path]).refused(&["is not a path in /etc"]);
        host.tiu("etc", ["diff", path]).refused(&["is not a path in /etc"]);
    }
    host.tiu("etc", ["reset", "/etc/none"])
        .refused(&["/etc/none exists neither on the host nor in the image"]);
    host.tiu("etc", ["keep", "/etc/app.conf"]).refused(&["/etc/app.conf is not a conflict"]);
    assert_eq!(host.tiu("etc", ["reset", "/etc/app.conf"]).code, Some(77));
    assert_eq!(host.snapshots(), [1, 2]);
}

#[test]
fn a_conflict_is_listed_until_the_file_is_the_image_s() {
    let kit = Kit::new();
    let mut host = host(&kit, false);
    let second = kit.bundle(2, changed);
    let dry = host.tiu("apply", ["--dry-run".as_ref(), second.as_os_str()]).succeeded().stdout;
    assert!(dry.contains("conflict  etc/app.conf (both changed it)"), "{dry}");
    assert!(dry.contains("keep      etc/mine/file (only the administrator changed it)"), "{dry}");
    assert!(dry.contains("keep-away etc/d/removed (only the administrator changed it)"), "{dry}");
    let applied = host.tiu("apply", [second]).succeeded().stdout;
    assert!(applied.contains("/etc/app.conf: both changed it"), "{applied}");
    assert_eq!(conflicts(&host), ["etc/app.conf", "etc/d/mode"]);
    let report = host.tiu("etc", ["report"]).succeeded().stdout;
    assert_output!("etc_report", stable(&report, &[]));
    let report_json = host.tiu("etc", ["report", "--json"]).succeeded().stdout;
    assert_output!("etc_report_json", stable_json(&report_json, &[]));
    assert_output!("etc_conflicts", stable(&host.tiu("etc", ["conflicts"]).succeeded().stdout, &[]));
    let conflicts_json = host.tiu("etc", ["conflicts", "--json"]).succeeded().stdout;
    assert_output!("etc_conflicts_json", stable_json(&conflicts_json, &[]));
    assert!(dry.starts_with(report.lines().nth(1).unwrap()), "{report}\n{dry}");
    let status = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(
        status.contains("Unresolved conflicts in /etc of what boots next: 2 (/etc/app.conf, /etc/d/mode)"),
        "{status}"
    );
    let beside = host.snapshot(3).join("usr/lib/sysimage/tiu/etc/app.conf");
    assert_eq!(fs::read_to_string(beside).unwrap(), "colour=green\nsize=1\n");

    // It outlasts an update that changes nothing of it.
    host.reboot();
    host.tiu("apply", [kit.bundle(3, changed)]).succeeded();
    assert_eq!(conflicts(&host), ["etc/app.conf", "etc/d/mode"]);
    let report = host.tiu("etc", ["report"]).succeeded().stdout;
    assert!(report.contains("conflict  etc/app.conf (a conflict of an earlier update)"), "{report}");
    // Done by hand.
    host.edit(4, |root| {
        file(root, "etc/app.conf", "colour=green\nsize=1\n");
    });
    assert_eq!(conflicts(&host), ["etc/d/mode"]);
    let value = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(value["etc_conflicts"], serde_json::json!(["etc/d/mode"]));
}

#[test]
fn reset_in_a_new_snapshot() {
    let kit = Kit::new();
    let mut host = host(&kit, false);
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.reboot();
    host.tiu("etc", ["reset", "--in", "running", "/etc/app.conf"])
        .refused(&["/etc of snapshot 3 is read-only"]);
    let before = fs::metadata(host.snapshot(3).join("etc/default/app")).unwrap();
    let value = json(
        &host.tiu("etc", ["reset", "--json", "/etc/app.conf", "/etc/d/removed", "/etc/mine"]).succeeded(),
    );
    assert_eq!((value["snapshot"].as_u64(), value["made"].as_bool()), (Some(4), Some(true)));
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3, 4], 4));
    let new = host.snapshot(4);
    assert_eq!(fs::read_to_string(new.join("etc/app.conf")).unwrap(), "colour=green\nsize=1\n");
    assert_eq!(fs::read_to_string(new.join("etc/d/removed")).unwrap(), "default\n");
    assert!(!new.join("etc/mine").exists());
    // What was not asked for is as it was.
    assert!(new.join("etc/d/type").is_symlink());
    assert_eq!(fs::read_to_string(new.join("etc/d/mode")).unwrap(), "default\n");
    let after = fs::metadata(new.join("etc/default/app")).unwrap();
    assert_eq!((before.ino(), before.mtime(), before.ctime()), (after.ino(), after.mtime(), after.ctime()));
    assert_eq!(fs::read_to_string(host.snapshot(3).join("etc/app.conf")).unwrap(), "colour=red\n");
    assert_eq!(conflicts(&host), ["etc/d/mode"]);
    host.tiu("verify", ["4"]).succeeded();
    let listed = host.snapper(&["list"]).stdout;
    assert!(listed.contains("tiu-state=done"), "{listed}");
    // All of it.
    host.reboot();
    host.tiu("etc", ["reset", "/etc/d", "--in", "snapshot"]).succeeded();
    assert_eq!(conflicts(&host), [""; 0]);
    let shown = host.tiu("etc", ["diff", "--snapshot", "5"]).succeeded().stdout;
    assert_eq!(lines(&shown), [""; 0]);
}

#[test]
fn reset_in_the_running_etc() {
    let kit = Kit::new();
    let mut host = host(&kit, true);
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.tiu("etc", ["reset", "--in", "running", "/etc/app.conf"])
        .refused(&["snapshot 3 boots next", "--in snapshot"]);
    host.reboot();
    let said = host.tiu("etc", ["reset", "/etc/app.conf"]).succeeded().stdout;
    assert!(said.contains("in snapshot 3, at once") && said.contains("  /etc/app.conf\n"), "{said}");
    assert_eq!(fs::read_to_string(host.root().join("etc/app.conf")).unwrap(), "colour=green\nsize=1\n");
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
    // As configured.
    let mut config = fs::read_to_string(host.root().join("etc/tiu/tiu.yaml")).unwrap();
    config += "etc: {change: snapshot}\n";
    file(&host.root(), "etc/tiu/tiu.yaml", config);
    host.tiu("etc", ["reset", "/etc/d/mode"]).succeeded();
    assert_eq!(host.default(), 4);
    assert_eq!(fs::metadata(host.root().join("etc/d/mode")).unwrap().mode() & 0o777, 0o600);
    let reset = host.snapshot(4).join("etc/d/mode");
    assert_eq!(
        (fs::metadata(&reset).unwrap().mode() & 0o777, fs::read_to_string(reset).unwrap().as_str()),
        (0o644, "second\n")
    );
}

#[test]
fn reset_below_a_directory_that_is_gone_or_is_a_symlink() {
    let kit = Kit::new();
    let mut host = host(&kit, true);
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.reboot();
    let d = host.root().join("etc/d");
    fs::remove_dir_all(&d).unwrap();
    host.tiu("etc", ["reset", "/etc/d/mode"]).succeeded();
    let names: Vec<_> = fs::read_dir(&d).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["mode"]);
    fs::remove_dir_all(&d).unwrap();
    let outside = host.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, &d).unwrap();
    host.tiu("etc", ["reset", "/etc/d/mode"]).refused(&["/etc/d is a symbolic link", "tiu etc reset /etc/d"]);
    host.tiu("etc", ["reset", "/etc/d"]).succeeded();
    assert_eq!(fs::read_dir(&d).unwrap().count(), 3);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn keep_resolves_a_conflict_until_the_image_changes_again() {
    let kit = Kit::new();
    let mut host = host(&kit, true);
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.reboot();
    let value = json(&host.tiu("etc", ["keep", "--json", "/etc/app.conf"]).succeeded());
    assert_eq!(value["paths"], serde_json::json!(["etc/app.conf"]));
    assert_eq!(conflicts(&host), ["etc/d/mode"]);
    host.tiu("etc", ["keep", "/etc/app.conf"]).refused(&["is not a conflict"]);
    host.tiu("etc", ["keep", "/etc"]).succeeded();
    assert_eq!(conflicts(&host), [""; 0]);
    // An update that does not change them again.
    host.tiu("apply", [kit.bundle(3, changed)]).succeeded();
    assert_eq!(conflicts(&host), [""; 0]);
    host.reboot();
    let again = kit.bundle(4, |root| {
        changed(root);
        file(root, "etc/app.conf", "colour=yellow\n");
    });
    host.tiu("apply", [again]).succeeded();
    assert_eq!(conflicts(&host), ["etc/app.conf"]);
    assert_eq!(fs::read_to_string(host.snapshot(4).join("etc/app.conf")).unwrap(), "colour=red\n");
}

#[test]
fn what_somebody_writes_into_the_list_of_kept_files_stops_nothing() {
    let kit = Kit::new();
    let mut host = host(&kit, true);
    file(&host.root(), "etc/tiu/etc-kept", b"\xff\n/etc/app.conf\n0123 /etc/x\n");
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.reboot();
    assert_eq!(conflicts(&host), ["etc/app.conf", "etc/d/mode"]);
}

#[test]
fn a_damaged_report() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, defaults)]).succeeded();
    host.edit(2, |root| file(root, "usr/lib/sysimage/tiu/etc.json", "{"));
    host.tiu("etc", ["report"]).refused(&["etc.json is damaged"]);
    host.edit(2, |root| file(root, "usr/lib/sysimage/tiu/etc.json", "{\"version\": 9}"));
    host.tiu("etc", ["conflicts"]).refused(&["format 9"]);
}

#[test]
fn a_damaged_copy_of_the_image_s_etc_is_found_and_never_used() {
    let kit = Kit::new();
    let mut host = host(&kit, false);
    host.tiu("apply", [kit.bundle(2, changed)]).succeeded();
    host.reboot();
    host.edit(3, |root| file(root, "usr/lib/sysimage/tiu/etc/app.conf", "colour=green\nsize=2\n"));
    host.tiu("etc", ["reset", "/etc/app.conf"]).refused(&["app.conf", "digest"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
    let verified = host.tiu("verify", ["3"]);
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.stdout.contains("DIFFERS  /usr/lib/sysimage/tiu/etc/app.conf: content"),
        "{}",
        verified.stdout
    );
}
