//! Updates that rely on what the filesystem proves: from a base whose seal holds, and from bases
//! whose seal does not.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::tree;

/// The message of a run that compares everything.
const ALL: &str = "everything is compared: ";
/// The message of a run that does not.
const PROVED: &str = "entries are proved";

/// Makes updates rely on proofs.
pub fn rely_on_proofs(root: &Path) {
    let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
    tree::file(root, "etc/tiu/tiu.yaml", config + "reuse: proved\n");
}

fn path_of_seals(host: &LoopHost) -> PathBuf {
    host.root().join(".snapshots/.tiu/seals.json")
}

fn seals(host: &LoopHost) -> Value {
    serde_json::from_str(&fs::read_to_string(path_of_seals(host)).unwrap()).unwrap()
}

/// Changes the content of `path`, and neither its size nor its times.
fn damage(path: &Path) {
    let metadata = path.metadata().unwrap();
    let changed: Vec<u8> = fs::read(path).unwrap().iter().map(|byte| byte ^ 1).collect();
    fs::write(path, changed).unwrap();
    fs::File::open(path).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
}

/// A host that relies on proofs and runs image 1, which is in its sealed snapshot 2.
struct Updated {
    kit: Kit,
    host: LoopHost,
}

impl Updated {
    fn new() -> Self {
        let kit = Kit::new();
        let mut host = kit.host_with(512, rely_on_proofs);
        host.tiu("apply", [image(&kit, 1)]).succeeded();
        host.reboot();
        assert_eq!(seals(&host)["seals"].as_array().unwrap().len(), 1);
        Updated { kit, host }
    }

    fn forge(&self, change: impl FnOnce(&mut Value)) {
        let mut forged = seals(&self.host);
        change(&mut forged);
        fs::write(path_of_seals(&self.host), forged.to_string()).unwrap();
    }

    /// Applies image 2, of which all is compared for this reason, and verifies it.
    #[track_caller]
    fn compares_everything(&self, reason: &str) {
        damage_in(&self.host, self.host.default());
        let applied = self.apply(&[]);
        assert!(applied.contains(&format!("{ALL}{reason}")), "{applied}");
        assert!(!applied.contains(PROVED), "{applied}");
        self.is_as_signed();
    }

    /// Applies image 2 with what is proved, and verifies it.
    #[track_caller]
    fn relies_on_the_seal(&self) {
        damage_in(&self.host, self.host.default());
        let applied = self.apply(&[]);
        assert!(applied.contains(PROVED) && !applied.contains(ALL), "{applied}");
        self.is_as_signed();
    }

    #[track_caller]
    fn apply(&self, options: &[&str]) -> String {
        let bundle = image(&self.kit, 2);
        let mut command = self.host.command("apply");
        command.arg("-vv").args(options).arg(bundle);
        tiu_testing::program::outcome(&mut command).succeeded().stderr
    }

    #[track_caller]
    fn is_as_signed(&self) {
        self.host.tiu("verify", [self.host.default().to_string()]).succeeded();
    }
}

fn image(kit: &Kit, version: u32) -> PathBuf {
    kit.bundle(version, |root| {
        tree::file(root, "usr/bin/tool", format!("{version}"));
        tree::file(root, "usr/lib/large", tree::noise(3, 40_000));
    })
}

/// Changes a file of the image in snapshot `number`, so that nobody sees it.
fn damage_in(host: &LoopHost, number: u32) {
    host.edit(number, |root| damage(&root.join("usr/lib/large")));
}

/// Lets snapshot `number` boot next.
fn make_default(host: &LoopHost, number: u32) {
    let path = host.snapshot(number);
    let arguments = ["subvolume".as_ref(), "set-default".as_ref(), path.as_os_str()];
    tiu_testing::program::tool("btrfs", "btrfs-progs", &arguments).succeeded();
}

#[test]
fn a_sealed_base_is_updated_by_what_changed_in_it() {
    let Updated { kit, host } = Updated::new();
    host.edit(2, |root| {
        damage(&root.join("usr/lib/large"));
        fs::remove_file(root.join("usr/lib/os-release")).unwrap();
        tree::file(root, "usr/share/extra/file", "of nobody");
    });
    let applied = host.tiu("apply", ["-vv".as_ref(), image(&kit, 2).as_os_str()]).succeeded();
    assert!(applied.stderr.contains(PROVED) && !applied.stderr.contains(ALL), "{}", applied.stderr);
    assert!(applied.stdout.contains("/usr/share/extra"), "{}", applied.stdout);
    host.tiu("verify", ["3"]).succeeded();
    assert!(!host.snapshot(3).join("usr/share/extra").exists());
    let text = fs::read_to_string(path_of_seals(&host)).unwrap();
    tiu_testing::documents::check("record-seals", &text);
    let found = seals(&host);
    let list = found["seals"].as_array().unwrap();
    assert_eq!(list.len(), 2, "that of the base is still of use after a rollback");
    assert!(list.iter().all(|seal| seal["unproved"].as_array().unwrap().contains(&json!("etc"))));
    assert_ne!(list[0]["index"], list[1]["index"]);
    assert_eq!(path_of_seals(&host).metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_snapshot_of_a_sealed_one_has_its_seal() {
    let updated = Updated::new();
    updated.host.snapper(&["create", "--from", "2", "--read-write"]).succeeded();
    updated.host.snapper(&["create", "--from", "3", "--read-write"]).succeeded();
    damage(&updated.host.snapshot(3).join("usr/bin/tool"));
    make_default(&updated.host, 4);
    updated.relies_on_the_seal();
}

#[test]
fn a_snapshot_that_was_made_before_the_seal_of_its_origin() {
    let updated = Updated::new();
    updated.host.snapper(&["create", "--from", "2", "--read-write"]).succeeded();
    make_default(&updated.host, 3);
    damage_in(&updated.host, 3);
    // The origin is sealed later, when the copy no longer is what it was.
    let info = libbtrfsutil::subvolume_info(updated.host.snapshot(3)).unwrap();
    updated.forge(|seals| seals["seals"][0]["transaction"] = info.otransid().into());
    updated.compares_everything("the snapshot was made before the seal of its origin");
}

#[test]
fn a_seal_of_a_later_transaction_than_the_filesystem_has() {
    let updated = Updated::new();
    updated.forge(|seals| seals["seals"][0]["transaction"] = 1_000_000.into());
    updated.compares_everything("the filesystem is older than the seal");
}

#[test]
fn a_seal_of_another_filesystem() {
    let updated = Updated::new();
    let other = "00000000-0000-0000-0000-000000000001";
    updated.forge(|seals| seals["seals"][0]["filesystem"] = other.into());
    updated.compares_everything("the seal is of another filesystem");
}

#[test]
fn a_seal_of_another_index() {
    let updated = Updated::new();
    updated.forge(|seals| seals["seals"][0]["index"] = "0".repeat(64).into());
    updated.compares_everything("the seal is of another index");
}

#[test]
fn a_seal_of_another_subvolume() {
    let updated = Updated::new();
    let other = "00000000-0000-0000-0000-000000000001";
    updated.forge(|seals| seals["seals"][0]["subvolume"] = other.into());
    updated.compares_everything("the snapshot was not compared with its index");
}

#[test]
fn seals_that_others_could_have_written() {
    let updated = Updated::new();
    fs::set_permissions(path_of_seals(&updated.host), PermissionsExt::from_mode(0o666)).unwrap();
    updated.compares_everything("the snapshot was not compared with its index");
}

#[test]
fn seals_that_are_damaged_or_not_a_file() {
    for replace in [
        |path: &Path| fs::write(path, "{\"version\": 1, \"seals\": [").unwrap(),
        |path: &Path| {
            fs::rename(path, path.with_extension("moved")).unwrap();
            symlink(path.with_extension("moved"), path).unwrap();
        },
        |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
    ] {
        let updated = Updated::new();
        replace(&path_of_seals(&updated.host));
        updated.compares_everything("the snapshot was not compared with its index");
    }
}

#[test]
fn a_seal_whose_filesystem_has_found_errors_since() {
    let updated = Updated::new();
    updated.forge(|seals| seals["seals"][0]["device_errors"] = json!([1, 0, 0, 0, 7, 0]));
    updated.compares_everything("the filesystem has found errors of its devices since the seal");
}

#[test]
fn an_origin_that_was_deleted_since() {
    let updated = Updated::new();
    let host = &updated.host;
    host.snapper(&["create", "--from", "2", "--read-write"]).succeeded();
    host.snapper(&["create", "--from", "3", "--read-write"]).succeeded();
    make_default(host, 4);
    host.snapper(&["delete", "3"]).succeeded();
    updated.compares_everything("the snapshot was not compared with its index");
}

#[test]
fn everything_is_compared_on_request() {
    let updated = Updated::new();
    damage_in(&updated.host, 2);
    let applied = updated.apply(&["--full"]);
    assert!(!applied.contains(PROVED), "{applied}");
    updated.is_as_signed();
    let applied = updated.apply(&["--force"]);
    assert!(!applied.contains(PROVED), "{applied}");
    let applied = updated.host.tiu(
        "apply",
        ["--dry-run", "--force"].map(AsRef::as_ref).into_iter().chain([image(&updated.kit, 2).as_os_str()]),
    );
    applied.succeeded();
}

#[test]
fn files_that_the_host_kept_are_compared_again() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        rely_on_proofs(root);
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", config + "host-paths: [/usr/share/own]\n");
    });
    host.tiu("apply", [image(&kit, 1)]).succeeded();
    host.reboot();
    // The path is the host's no longer.
    host.edit(2, |root| {
        tree::file(root, "usr/share/own/file", "own");
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        fs::write(root.join("etc/tiu/tiu.yaml"), config.replace("host-paths: [/usr/share/own]\n", ""))
            .unwrap();
    });
    host.tiu("apply", [image(&kit, 2)]).succeeded();
    assert!(!host.snapshot(3).join("usr/share/own").exists());
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn a_run_that_fails_leaves_no_seal_and_one_that_is_refused_does() {
    let updated = Updated::new();
    let Updated { kit, host } = &updated;
    // Refused before anything is touched.
    let old = kit.bundle_at(0, 1_000_000, |_| {});
    host.tiu("apply", [old]).refused(&[]);
    assert_eq!(seals(host)["seals"].as_array().unwrap().len(), 1);
    // Killed while it works.
    let mut command = host.command("apply");
    command.arg("--progress").arg("plain").arg(image(kit, 2));
    let running = tiu_testing::running::Running::start(&command);
    let taken = || seals(host)["seals"].as_array().unwrap().is_empty();
    let began = std::time::Instant::now();
    while !taken() {
        assert!(began.elapsed().as_secs() < 60, "the run did not take the seal");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    running.kill_all();
    if host.default() == 2 {
        updated.compares_everything("the snapshot was not compared with its index");
        assert_eq!(seals(host)["seals"].as_array().unwrap().len(), 1, "it is sealed again");
    }
}

#[test]
fn without_reuse_proved_everything_is_compared() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", config + "reuse: hashed\n");
    });
    host.tiu("apply", [image(&kit, 1)]).succeeded();
    host.reboot();
    damage_in(&host, 2);
    let applied = host.tiu("apply", ["-vv".as_ref(), image(&kit, 2).as_os_str()]).succeeded();
    assert!(!applied.stderr.contains(PROVED), "{}", applied.stderr);
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn content_that_changed_since_the_update_is_seen_at_once() {
    let Updated { host, .. } = Updated::new();
    let status = || host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(!status().contains("DIFFERS"));
    host.tiu("verify", ["--since-seal"]).succeeded();
    damage_in(&host, 2);
    assert!(status().contains("Snapshot 2 DIFFERS from what was signed: /usr/lib/large;"), "{}", status());
    let verified = host.tiu("verify", ["--since-seal"]).refused(&["differs in 1 place"]);
    assert!(verified.stdout.contains("/usr/lib/large: content"), "{}", verified.stdout);
    host.tiu("verify", ["2"]).refused(&["differs in 1 place"]);
}

#[test]
fn a_snapshot_without_a_seal_is_not_verified_since_it() {
    let Updated { host, .. } = Updated::new();
    fs::remove_file(path_of_seals(&host)).unwrap();
    damage_in(&host, 2);
    host.tiu("verify", ["--since-seal"]).refused(&["no valid seal", "verify without --since-seal"]);
    // As before: what metadata shows.
    assert!(!host.tiu("status", [""; 0]).succeeded().stdout.contains("DIFFERS"));
    host.edit(2, |root| fs::write(root.join("usr/lib/large"), "x").unwrap());
    assert!(host.tiu("status", [""; 0]).succeeded().stdout.contains("DIFFERS"));
}
