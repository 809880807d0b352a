//! `tiu update`: which bundle of a folder is applied, and when none is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tiu_testing::documents;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::{RunOutput, json};
use tiu_testing::server::Server;
use tiu_testing::tree::file;

/// The folder of bundles, in the host.
const FOLDER: &str = "srv/updates";

/// A host whose `update` is a folder of bundles.
fn host(kit: &Kit) -> LoopHost {
    let host = kit.host_with(512, |root| {
        let text = "compatible: testos\nkeyring: /etc/tiu/keyring.pem\nupdate: /srv/updates\n";
        file(root, "etc/tiu/tiu.yaml", text);
    });
    fs::create_dir(host.root().join(FOLDER)).unwrap();
    host
}

/// A host with version 1, and the bundle of that.
fn host_with_one(kit: &Kit) -> LoopHost {
    let mut host = host(kit);
    put(&host, "one.tiu", &kit.bundle(1, |_| {}));
    update(&host, &[]).succeeded();
    host.reboot();
    host
}

fn put(host: &LoopHost, name: &str, bundle: &Path) -> PathBuf {
    let to = host.root().join(FOLDER).join(name);
    fs::copy(bundle, &to).unwrap();
    to
}

fn update(host: &LoopHost, arguments: &[&str]) -> RunOutput {
    host.tiu("update", arguments)
}

/// It ended with 77, and says this.
#[track_caller]
fn nothing(outcome: RunOutput, needle: &str) {
    assert_eq!(outcome.code, Some(77), "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(
        outcome.stderr.contains("nothing to do") && outcome.stderr.contains(needle),
        "{}",
        outcome.stderr
    );
}

/// The result file, as its schema says.
fn last(host: &LoopHost) -> serde_json::Value {
    let text = fs::read_to_string(host.root().join("var/lib/tiu/update.json")).unwrap();
    documents::check("update", &text);
    serde_json::from_str(&text).unwrap()
}

/// Verdicts by name of the bundle.
fn verdicts(host: &LoopHost) -> Vec<(String, String)> {
    let check = json(&update(host, &["--check", "--json"]));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let candidates = check["candidates"].as_array().unwrap();
    candidates.iter().map(|c| (text(&c["name"]), text(&c["verdict"]))).collect()
}

fn pair(name: &str, verdict: &str) -> (String, String) {
    (name.to_owned(), verdict.to_owned())
}

#[test]
fn the_newest_bundle_of_a_folder_is_applied_and_then_nothing() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    put(&host, "a.tiu", &kit.bundle(3, |_| {}));
    put(&host, "z.tiu", &kit.bundle(2, |_| {}));
    put(
        &host,
        "other.tiu",
        &kit.bundle_of(9, Recipe { compatible: "otheros", version: "9", more: "" }, |_| {}),
    );
    put(&host, ".partial.tiu", &kit.bundle(8, |_| {}));
    fs::write(host.root().join(FOLDER).join("README"), "not a bundle").unwrap();
    let before = host.state();
    let check = update(&host, &["--check"]).succeeded();
    assert!(check.stdout.contains("It would apply a.tiu."), "{}", check.stdout);
    assert_eq!(
        verdicts(&host),
        [
            pair("other.tiu", "not-for-this-host"),
            pair("a.tiu", "newer"),
            pair("z.tiu", "newer"),
            pair("one.tiu", "installed")
        ]
    );
    assert_eq!(host.state(), before, "--check changed something");
    let updated = json(&update(&host, &["--json"]).succeeded());
    assert_eq!((&updated["result"], &updated["snapshot"]), (&"updated".into(), &3.into()));
    assert_eq!(updated["image"]["version"], "3");
    assert_eq!(host.default(), 3);
    let written = last(&host);
    assert_eq!(written["last_update"]["version"], "3");
    let mode = host.root().join("var/lib/tiu/update.json").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "monitoring reads it");

    host.reboot();
    nothing(update(&host, &[]), "has no image that this host takes and does not have");
    let written = last(&host);
    assert_eq!((&written["result"], &written["code"]), (&"nothing-to-do".into(), &77.into()));
    assert_eq!(written["last_update"]["version"], "3", "the last one that did something stays");
    let check = update(&host, &["--check"]);
    assert_eq!(check.code, Some(77), "{}", check.stdout);
    assert!(check.stdout.contains("It would do nothing"), "{}", check.stdout);
}

/// Samples by name, with their labels.
fn metrics(host: &LoopHost) -> std::collections::BTreeMap<String, String> {
    let text = host.tiu("status", ["--format", "prometheus"]).succeeded().stdout;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn metrics_show_a_pending_reboot_and_a_failed_update() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    let before = metrics(&host);
    let get = |samples: &std::collections::BTreeMap<String, String>, name: &str| samples.get(name).cloned();
    let running = "tiu_running_info{snapshot=\"2\",compatible=\"testos\",version=\"1\"}";
    for (name, value) in [
        (running, "1"),
        ("tiu_reboot_pending", "0"),
        ("tiu_next_not_bootable", "0"),
        ("tiu_differs", "0"),
        ("tiu_update_last_result{result=\"updated\"}", "1"),
        ("tiu_update_last_result{result=\"failed\"}", "0"),
    ] {
        assert_eq!(get(&before, name).as_deref(), Some(value), "{name}: {before:?}");
    }
    let applied = get(&before, "tiu_update_last_applied_timestamp_seconds").unwrap();
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    assert_eq!(get(&metrics(&host), "tiu_reboot_pending").as_deref(), Some("1"));
    host.reboot();
    update(&host, &["/gone"]).refused(&["/gone"]);
    let after = metrics(&host);
    assert_eq!(get(&after, "tiu_update_last_result{result=\"failed\"}").as_deref(), Some("1"));
    assert!(get(&after, "tiu_update_last_applied_timestamp_seconds").unwrap() >= applied);
    assert_eq!(host.tiu("status", ["--format", "prometheus", "--json"]).code, Some(2));
}

#[test]
fn a_pending_reboot_is_waited_for() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    put(&host, "three.tiu", &kit.bundle(3, |_| {}));
    nothing(update(&host, &[]), "snapshot 3 (version 2) boots next and does not run yet");
    let check = json(&update(&host, &["--check", "--json"]));
    assert_eq!((&check["reboot_pending"], &check["apply"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(host.default(), 3);
    host.reboot();
    update(&host, &[]).succeeded();
    assert_eq!(host.default(), 4);
}

#[test]
fn a_new_snapshot_of_the_running_image_is_not_a_pending_reboot() {
    let kit = Kit::new();
    let host = host_with_one(&kit);
    host.edit(2, |root| file(root, "etc/app.conf", "mine\n"));
    host.tiu("etc", ["reset", "/etc/app.conf"]).succeeded();
    assert_eq!(host.default(), 3);
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    assert_eq!(host.default(), 4);
}

#[test]
fn an_image_that_the_host_went_back_from_does_not_come_again() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    let two = put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    host.reboot();
    host.tiu("rollback", [""; 0]).succeeded();
    host.reboot();
    assert_eq!(verdicts(&host), [pair("two.tiu", "avoided"), pair("one.tiu", "installed")]);
    nothing(update(&host, &[]), "has no image");
    // Not after its snapshot is gone either.
    host.snapper(&["delete", "3"]).succeeded();
    assert_eq!(host.snapshots(), [1, 2]);
    nothing(update(&host, &[]), "has no image");
    // A later one comes, and a person can have it again.
    put(&host, "three.tiu", &kit.bundle(3, |_| {}));
    assert_eq!(verdicts(&host)[0], pair("three.tiu", "newer"));
    host.tiu("apply", ["--allow-downgrade".as_ref(), two.as_os_str()]).succeeded();
    host.reboot();
    fs::remove_file(host.root().join(FOLDER).join("three.tiu")).unwrap();
    assert_eq!(verdicts(&host)[0], pair("two.tiu", "installed"));
    let memory = fs::read_to_string(host.root().join(".snapshots/.tiu/state.json")).unwrap();
    documents::check("record-state", &memory);
    assert!(!memory.contains("avoided"), "{memory}");
}

#[test]
fn a_default_that_another_program_set_back_counts_as_going_back() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    host.reboot();
    let set = std::process::Command::new("btrfs")
        .args(["subvolume", "set-default"])
        .arg(host.snapshot(2))
        .status()
        .unwrap();
    assert!(set.success());
    host.reboot();
    nothing(update(&host, &[]), "has no image");
    let memory = fs::read_to_string(host.root().join(".snapshots/.tiu/state.json")).unwrap();
    documents::check("record-state", &memory);
    assert!(memory.contains("the host went back from it: it is in snapshot 3"), "{memory}");
}

#[test]
fn two_images_of_one_version_and_time_do_not_replace_each_other() {
    let kit = Kit::new();
    let mut host = host(&kit);
    put(&host, "a.tiu", &kit.bundle_at(2, 1_700_000_000, |_| {}));
    put(&host, "b.tiu", &kit.bundle_at(2, 1_700_000_000, |root| file(root, "usr/other", "b")));
    update(&host, &[]).succeeded();
    host.reboot();
    nothing(update(&host, &[]), "has no image");
    // The same version, packed later, is newer.
    put(&host, "c.tiu", &kit.bundle_at(2, 1_700_000_001, |_| {}));
    let updated = json(&update(&host, &["--json"]).succeeded());
    assert!(updated["bundle"].as_str().unwrap().ends_with("c.tiu"), "{updated}");
}

#[test]
fn an_image_in_between_is_taken_first() {
    let kit = Kit::new();
    let mut host = host_with_one(&kit);
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    let late = Recipe { compatible: "testos", version: "3", more: "min-version: \"2\"\n" };
    put(&host, "three.tiu", &kit.bundle_of(3, late, |_| {}));
    for version in ["2", "3"] {
        assert_eq!(json(&update(&host, &["--json"]).succeeded())["image"]["version"], version);
        host.reboot();
    }
}

#[test]
fn a_bad_bundle_alone_is_a_failure_and_next_to_a_good_one_it_is_not() {
    let kit = Kit::new();
    let stranger = Kit::new();
    let host = host_with_one(&kit);
    fs::remove_file(host.root().join(FOLDER).join("one.tiu")).unwrap();
    put(&host, "strange.tiu", &stranger.bundle(5, |_| {}));
    fs::write(host.root().join(FOLDER).join("empty.tiu"), "").unwrap();
    fs::create_dir(host.root().join(FOLDER).join("folder.tiu")).unwrap();
    let fifo = host.root().join(FOLDER).join("fifo\n.tiu");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::os::unix::fs::symlink("gone", host.root().join(FOLDER).join("link.tiu")).unwrap();
    let before = host.default();
    let refused = update(&host, &[]);
    refused.refused(&[
        "/srv/updates has no bundle that can be used",
        "with another key than",
        "a named pipe",
    ]);
    let written = last(&host);
    assert_eq!((&written["result"], &written["code"]), (&"failed".into(), &1.into()));
    assert!(written["message"].as_str().unwrap().contains("no bundle that can be used"), "{written}");
    assert_eq!(written["source"], "/srv/updates");
    assert_eq!(host.default(), before);
    put(&host, "good.tiu", &kit.bundle(2, |_| {}));
    update(&host, &[]).succeeded();
    assert_eq!(json_version(&last(&host)), "2");
}

fn json_version(result: &serde_json::Value) -> String {
    result["image"]["version"].as_str().unwrap().to_owned()
}

#[test]
fn a_source_that_is_missing_or_too_large_is_named() {
    let kit = Kit::new();
    let host = kit.host();
    update(&host, &[]).refused(&["there is no source of updates"]);
    assert_eq!(last(&host)["result"], "failed");
    update(&host, &["/no/such/folder"]).refused(&["/no/such/folder", "cannot be read"]);
    let full = kit.path("full");
    fs::create_dir(&full).unwrap();
    for number in 0..201 {
        fs::write(full.join(format!("{number}.tiu")), "").unwrap();
    }
    update(&host, &[full.to_str().unwrap()]).refused(&["has more than 200 bundles"]);
    for number in 0..9_900 {
        fs::write(full.join(format!("{number}")), "").unwrap();
    }
    update(&host, &[full.to_str().unwrap()]).refused(&["has more than 10000 entries"]);
    let relative = kit.host_with(512, |root| {
        file(root, "etc/tiu/tiu.yaml", "keyring: /etc/tiu/keyring.pem\nupdate: updates\n");
    });
    update(&relative, &[]).refused(&["found \"updates\", expected the absolute path"]);
}

#[test]
fn a_bundle_on_a_server_is_applied_once() {
    let kit = Kit::new();
    let mut host = host(&kit);
    let server = Server::new(fs::read(kit.bundle(1, |_| {})).unwrap());
    let url = server.url();
    update(&host, &[&url]).succeeded();
    assert_eq!(last(&host)["bundle"], url.as_str());
    host.reboot();
    nothing(update(&host, &[&url]), "has no image that this host takes and does not have");
    update(&host, &["-"]).refused(&["found \"-\""]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_in_the_result() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| file(root, "etc/tiu/tiu.yaml", "updates: /srv\n"));
    update(&host, &[]).refused(&["unknown field `updates`"]);
    let written = last(&host);
    assert_eq!(written["result"], "failed");
    assert!(written["message"].as_str().unwrap().contains("unknown field"), "{written}");
}

#[test]
fn a_person_at_work_is_not_a_failure_of_the_timer() {
    let kit = Kit::new();
    let host = host_with_one(&kit);
    put(&host, "two.tiu", &kit.bundle(2, |_| {}));
    let held = tiu::host::Host::open(Some(&host.root())).unwrap();
    let lock = held.lock().unwrap();
    nothing(update(&host, &[]), "another tiu is running on this host: process");
    drop(lock);
    update(&host, &[]).succeeded();
}

#[test]
fn a_result_that_cannot_be_written_stops_no_update() {
    let kit = Kit::new();
    let host = host(&kit);
    put(&host, "one.tiu", &kit.bundle(1, |_| {}));
    let lib = host.root().join("var/lib");
    fs::create_dir_all(&lib).unwrap();
    let victim = host.scratch().join("victim");
    std::os::unix::fs::symlink(&victim, lib.join("tiu")).unwrap();
    let updated = update(&host, &[]).succeeded();
    assert!(updated.stderr.contains("the result was not written"), "{}", updated.stderr);
    assert!(!victim.exists());
    assert_eq!(host.default(), 2);
}
