//! Runs that fail, are cancelled or are killed on the way: the host stays as it was, and nothing is
//! left behind.

use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::running::{Running, wait_for};
use tiu_testing::system::dracut;
use tiu_testing::tree;

/// A dracut that shows that it runs, and then takes its time.
const SLOW: &str = "echo half >\"$image\"\nsleep 300\n";

/// Starts `tiu apply` and returns at once.
fn apply(host: &LoopHost, bundle: &Path) -> Running {
    host.start("apply", [bundle.as_os_str(), "--progress".as_ref(), "none".as_ref()])
}

/// The initrd that the slow dracut has begun.
fn begun(host: &LoopHost) -> PathBuf {
    host.snapshot(2).join("boot/initramfs-6.1.1-test.img")
}

/// Processes whose root or command line lies in the host.
fn processes(host: &LoopHost) -> Vec<String> {
    let base = host.scratch().to_string_lossy().into_owned();
    let process = |entry: std::io::Result<fs::DirEntry>| {
        let dir = entry.ok()?.path();
        dir.file_name()?.to_str()?.parse::<u32>().ok()?;
        let root = fs::read_link(dir.join("root")).ok()?.to_string_lossy().into_owned();
        let line = String::from_utf8_lossy(&fs::read(dir.join("cmdline")).ok()?).replace('\0', " ");
        (root.contains(&base) || line.contains(&base))
            .then(|| format!("{} {line} (root {root})", dir.display()))
    };
    fs::read_dir("/proc").unwrap().filter_map(process).collect()
}

#[track_caller]
fn untouched(host: &LoopHost, mounts: &[String]) {
    assert_eq!((host.snapshots(), host.default()), (vec![1], 1));
    let listed = host.snapper(&["--csvout", "list", "--columns", "number"]).succeeded().stdout;
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["number", "0", "1"]);
    assert_eq!(host.mounts(), mounts, "mounts leaked");
    assert_eq!(processes(host), [""; 0], "processes leaked");
}

#[test]
fn a_failing_dracut_is_quoted() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| {
        dracut(root, "echo one; echo 'dracut: module btrfs is missing' >&2\nexit 3\n");
    });
    host.tiu("apply", [bundle]).refused(&[
        "the initrd for kernel 6.1.1-test was not made",
        "exit code 3",
        "dracut: module btrfs is missing",
        "stdout: one",
    ]);
    untouched(&host, &mounts);
}

#[test]
fn a_dracut_that_makes_nothing() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    host.tiu("apply", [kit.bundle(1, |root| dracut(root, "exit 0\n"))])
        .refused(&["boot/initramfs-6.1.1-test.img"]);
    untouched(&host, &mounts);
}

#[test]
fn a_dracut_that_changes_the_system() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let body = "echo x >\"$image\"; echo evil >/usr/share/size-one; echo more >/usr/share/more\n";
    host.tiu("apply", [kit.bundle(1, |root| dracut(root, body))]).refused(&[
        "differs from the image in",
        "usr/share/more",
        "usr/share/size-one",
    ]);
    untouched(&host, &mounts);
}

#[test]
fn a_dracut_that_changes_what_was_not_written() {
    let kit = Kit::new();
    let mut host = kit.host();
    // Content of the same size, with the time put back: only reading it shows.
    let body = "echo x >\"$image\"; [ ! -e /etc/evil ] || { at=/usr/share/size-one
        touch -r $at /run/time; echo -n E >$at; touch -r /run/time $at; }\n";
    let bundle = kit.bundle(1, |root| dracut(root, body));
    host.tiu("apply", [&bundle]).succeeded();
    host.edit(2, |root| tree::file(root, "etc/evil", ""));
    host.reboot();
    host.tiu("apply", ["--force".as_ref(), bundle.as_os_str()])
        .refused(&["differs from the image in 1 place: usr/share/size-one (content"]);
    assert_eq!(host.snapshots(), [1, 2]);
}

#[test]
fn what_dracut_sees_is_the_new_system_and_no_more() {
    let kit = Kit::new();
    let host = kit.host();
    tree::file(&host.root(), "var/secret", "host");
    let body =
        "set -e\n[ ! -e /var/secret ]; [ -d /var/tmp ]; : >/var/tmp/x; : >/dev/null; [ -e /proc/self/status ]
        [ -d /sys/class ]; [ ! -e /.snapshots/1 ]; [ -e /dev/urandom ]; [ ! -e /dev/loop-control ]; : >/run/x
        ! echo x >/sys/kernel/x 2>/dev/null\n[ $$ -lt 100 ]\necho fine >\"$image\"\n";
    host.tiu("apply", [kit.bundle(1, |root| dracut(root, body))]).succeeded();
    assert_eq!(fs::read_to_string(begun(&host)).unwrap(), "fine\n");
    assert!(!host.root().join("var/tmp/x").exists());
}

#[test]
fn signals_cancel_and_undo() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| dracut(root, SLOW));
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = apply(&host, &bundle);
        wait_for("dracut", || begun(&host).exists());
        running.signal(signal);
        let ended = running.end().outcome;
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert!(ended.stderr.contains("cancelled"), "{}", ended.stderr);
        untouched(&host, &mounts);
    }
}

#[test]
fn a_second_signal_waits_for_the_undo() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| dracut(root, SLOW));
    let mut running = apply(&host, &bundle);
    wait_for("dracut", || begun(&host).exists());
    for signal in [Signal::INT, Signal::INT, Signal::TERM, Signal::HUP] {
        running.signal(signal);
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let ended = running.end().outcome;
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    untouched(&host, &mounts);
}

#[test]
fn a_signal_while_the_snapshot_is_filled() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(1, 64 << 20)));
    let mut running = apply(&host, &bundle);
    wait_for("the snapshot", || host.snapshot(2).exists());
    running.signal(Signal::INT);
    assert_eq!(running.end().outcome.code, Some(130));
    untouched(&host, &mounts);
}

#[test]
fn a_killed_run_leaves_a_marked_snapshot_that_the_next_run_removes() {
    let kit = Kit::new();
    let host = kit.host();
    let mounts = host.mounts();
    let mut running = apply(&host, &kit.bundle(1, |root| dracut(root, SLOW)));
    wait_for("dracut", || begun(&host).exists());
    running.signal(Signal::KILL);
    assert_eq!(running.end().outcome.code, None);
    wait_for("the end of its processes", || processes(&host).is_empty());
    assert_eq!(host.mounts(), mounts, "mounts leaked");
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 1));

    let status = json(&host.tiu("status", ["--json"]).succeeded());
    assert_eq!(status["unfinished"], serde_json::json!([2]));
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Snapshot 2 is unfinished"), "{shown}");
    host.tiu("rollback", ["2"]).refused(&["never finished"]);

    let bundle = kit.bundle(1, |_| {});
    let report = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(report["removed"], serde_json::json!([2]));
    // snapper gives the number again.
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn cleanup_removes_what_a_killed_run_left() {
    let kit = Kit::new();
    let host = kit.host();
    let mut running = apply(&host, &kit.bundle(1, |root| dracut(root, SLOW)));
    wait_for("dracut", || begun(&host).exists());
    host.tiu("cleanup", [""; 0]).refused(&["another tiu is running on this host"]);
    running.signal(Signal::KILL);
    running.end();
    wait_for("the end of its processes", || processes(&host).is_empty());
    let cleaned = host.tiu("cleanup", [""; 0]).succeeded();
    assert_eq!(cleaned.stdout, "Removed the unfinished snapshot 2.\n");
    assert_eq!(host.snapshots(), [1]);
    assert_eq!(host.tiu("cleanup", [""; 0]).code, Some(77));
}

#[test]
fn two_runs_at_once() {
    let kit = Kit::new();
    let host = kit.host();
    let mut running = apply(&host, &kit.bundle(1, |root| dracut(root, SLOW)));
    wait_for("dracut", || begun(&host).exists());
    let pid = format!("process {}", running.pid().as_raw_nonzero());
    let bundle = kit.bundle(1, |_| {});
    host.tiu("apply", [&bundle]).refused(&["another tiu is running on this host", &pid]);
    host.tiu("rollback", ["1"]).refused(&["another tiu is running on this host"]);
    assert_eq!(host.snapshots(), [1, 2], "the running one's snapshot was touched");
    running.signal(Signal::TERM);
    assert_eq!(running.end().outcome.code, Some(130));
    host.tiu("apply", [&bundle]).succeeded();
}

#[test]
fn not_enough_space_is_seen_before_anything_is_done() {
    let kit = Kit::new();
    let host = kit.host_with(160, |_| {});
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(1, 200 << 20)));
    host.tiu("apply", [bundle]).refused(&["the image needs", "MiB are free", "tiu list"]);
    untouched(&host, &mounts);
}

#[test]
fn space_that_ends_in_the_middle() {
    let kit = Kit::new();
    let host = kit.host_with(400, |_| {});
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| {
        for i in 0..16 {
            tree::file(root, &format!("usr/share/large-{i}"), tree::noise(i, 8 << 20));
        }
    });
    let mut running = apply(&host, &bundle);
    wait_for("the first of the large files", || host.snapshot(2).join("usr/share/large-0").exists());
    running.signal(Signal::STOP);
    // Somebody else fills the disk while the run stands still.
    let filler = host.root().join("var/filler");
    let filled =
        Command::new("dd").args(["if=/dev/zero", "bs=1M"]).arg(format!("of={}", filler.display())).output();
    assert!(!filled.unwrap().status.success(), "the disk did not fill");
    running.signal(Signal::CONT);
    running.end().outcome.refused(&["no space left", "free some space"]);
    fs::remove_file(filler).unwrap();
    untouched(&host, &mounts);
}

#[test]
fn space_that_ends_while_the_initrd_is_made() {
    let kit = Kit::new();
    let host = kit.host_with(300, |_| {});
    let mounts = host.mounts();
    let bundle = kit.bundle(1, |root| {
        dracut(
            root,
            "dd if=/dev/zero of=\"$image\" bs=1000000 2>/run/said || { cat /run/said >&2; exit 1; }\n",
        );
    });
    host.tiu("apply", [bundle]).refused(&["the initrd", "No space left"]);
    untouched(&host, &mounts);
}
