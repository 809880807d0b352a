//! Failures while packing: nothing is left behind, and the error names the cause.

use crate::place::{EPOCH, Place, program};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::running::{Running, wait_for};
use tiu_testing::tree::noise;

fn left_behind(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("")).expect("the place").flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("bundle.tiu"))
        .collect()
}

/// Packs in a mount namespace of its own, after `prepare` ran in it.
fn pack_after(place: &Place, prepare: &str, out: &str) -> RunOutput {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        &format!("{prepare}\nexec \"$@\""),
        "sh",
    ]);
    command.arg(program().get_program()).args(place.pack_arguments(out)).current_dir(place.path(""));
    outcome(command.env("SOURCE_DATE_EPOCH", EPOCH.to_string()))
}

#[test]
fn tar2sqfs_is_missing() {
    let place = Place::new();
    place.keys();
    pack_after(&place, "mount --bind /dev/null /usr/bin/tar2sqfs", "bundle.tiu")
        .refused(&["tar2sqfs is not installed", "install the package squashfs-tools-ng"]);
    assert_eq!(left_behind(&place), [""; 0]);
}

#[test]
fn tar2sqfs_fails() {
    let place = Place::new();
    place.keys();
    fs::write(place.path("broken"), "#!/bin/sh\necho this is broken >&2\nexit 7\n").expect("a script");
    pack_after(&place, "chmod 755 broken; mount --bind broken /usr/bin/tar2sqfs", "bundle.tiu").refused(&[
        "tar2sqfs",
        "exit code 7",
        "this is broken",
    ]);
    assert_eq!(left_behind(&place), [""; 0]);
}

#[test]
fn the_disk_is_full() {
    let place = Place::new();
    place.file("usr/large", noise(1, 20_000_000));
    place.keys();
    fs::create_dir(place.path("small")).expect("a directory");
    let found = pack_after(&place, "mount -t tmpfs -o size=4m tmpfs small", "small/bundle.tiu");
    found.refused(&["small/bundle.tiu", "no storage space", "free some space"]);
}

#[test]
fn the_disk_gets_full_with_the_hash_tree() {
    let place = Place::new();
    place.file("usr/large", noise(1, 4_000_000));
    place.keys();
    fs::create_dir(place.path("small")).expect("a directory");
    // Enough for the image of 4.9 MB, not for its hash tree of 40 KB: the size is found by packing
    // once.
    place.pack("bundle.tiu").succeeded();
    let image = place.open("bundle.tiu").bundle.layout.image_size;
    let found = pack_after(
        &place,
        &format!("mount -t tmpfs -o size={} tmpfs small", image + 8192),
        "small/bundle.tiu",
    );
    found.refused(&["writing", "No space left", "free some space"]);
}

#[test]
fn something_is_mounted_in_the_tree() {
    let place = Place::new();
    place.keys();
    fs::create_dir(place.root().join("usr/mounted")).expect("a directory");
    let prepare = "mount -t tmpfs tmpfs root/usr/mounted; echo x > root/usr/mounted/file; mount -t tmpfs tmpfs root/proc; echo x > root/proc/file";
    let found = pack_after(&place, prepare, "bundle.tiu").succeeded();
    assert!(found.stderr.contains("something is mounted on /usr/mounted"), "{}", found.stderr);
    assert!(!found.stderr.contains("/proc"), "{}", found.stderr);
    let paths = place.open("bundle.tiu").paths();
    assert!(paths.contains(&"usr/mounted".to_owned()) && !paths.contains(&"usr/mounted/file".to_owned()));
}

#[test]
fn something_is_mounted_on_a_file() {
    let place = Place::new();
    place.keys();
    let prepare = "mount --bind /etc/hostname root/usr/share/same";
    pack_after(&place, prepare, "bundle.tiu").refused(&["usr/share/same", "unmount"]);
}

#[test]
fn a_file_that_grows_while_it_is_read() {
    let place = Place::new();
    place.file("usr/growing", "x");
    // Read long after the scan saw it.
    place.file("usr/a", noise(1, 3_000_000));
    let done = AtomicBool::new(false);
    let mut file = fs::File::options().append(true).open(place.root().join("usr/growing")).expect("a file");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"more").expect("a write");
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let found = place.pack("bundle.tiu");
        done.store(true, Ordering::Relaxed);
        found
            .refused(&["/usr/growing changed while it was read", "stop the program that writes to the tree"]);
    });
    assert_eq!(left_behind(&place), [""; 0]);
}

#[test]
fn a_file_that_must_not_be_read() {
    let place = Place::new();
    place.file("usr/secret", "x");
    let public = |path: &str, mode| {
        fs::set_permissions(place.path(path), PermissionsExt::from_mode(mode)).expect("a mode");
    };
    public("", 0o777);
    public("root/usr/secret", 0o600);
    for path in ["root/etc/shadow", "root/etc/gshadow"] {
        public(path, 0o644);
    }
    // The program may lie where only its owner gets.
    fs::copy(program().get_program(), place.path("program")).expect("a copy");
    public("program", 0o755);
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.retain(|argument| !argument.starts_with("--cert") && !argument.starts_with("--key"));
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(place.path("program"));
    outcome(command.args(arguments).arg("--unsigned"))
        .refused(&["/usr/secret: opening failed", "run as root"]);
    assert_eq!(left_behind(&place), [""; 0]);
}

#[test]
fn interrupted() {
    let place = Place::new();
    place.recipe("compression: {level: 22, block-size: 1048576}\n");
    for i in 0..60 {
        place.file(&format!("usr/large/{i}"), noise(i, 1_000_000));
    }
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = Running::start(program().args(place.pack_arguments("bundle.tiu")));
        wait_for("the first bytes", || !left_behind(&place).is_empty());
        // The handlers are there before anything is written.
        running.signal(signal);
        let ended = running.end().outcome;
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert!(ended.stderr.contains("cancelled"), "{}", ended.stderr);
        assert_eq!(left_behind(&place), [""; 0]);
        let dir = place.path("").display().to_string();
        let left = outcome(Command::new("pgrep").args(["--full", &dir]));
        assert_eq!(left.stdout, "", "processes are left: {}", left.stdout);
    }
}
