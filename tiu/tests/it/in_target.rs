//! The hidden subcommand that runs a program of the new system in it.

use std::fs;
use std::process::{Command, Stdio};
use tiu_testing::host::LoopHost;
use tiu_testing::program::{self, Outcome};
use tiu_testing::system::bootable;

/// Runs `script` in snapshot 1 of `host` as `apply` would.
fn run(host: &LoopHost, options: &[&str], script: &str) -> Outcome {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"]);
    command.arg(program::path("tiu")).arg("in-target").args(options).arg(host.snapshot(1));
    command.args(["--", "/usr/bin/sh", "-c", script]);
    // A pipe that stays open as long as we live.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let held = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(held);
    output.into()
}

fn host() -> LoopHost {
    let host = LoopHost::with(512, |root| bootable(root, 1));
    libbtrfsutil::set_subvolume_read_only(host.snapshot(1), false).unwrap();
    host
}

/// Mounts of the machine, without those of temporary directories: other tests run at the same time.
fn machine_mounts() -> Vec<String> {
    let temporary = std::env::temp_dir().to_string_lossy().into_owned();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().filter(|line| !line.contains(&temporary)).map(str::to_owned).collect()
}

#[test]
fn with_devices_it_sees_those_of_the_machine() {
    let host = host();
    let mounts = host.mounts();
    let machine = machine_mounts();
    let script = "set -e; [ -e /dev/loop-control ]; [ -e /dev/pts ]; [ -d /sys/class/block ]; [ -e /proc/self/mounts ]; echo $$";
    let outcome = run(&host, &["--devices"], script).succeeded();
    let process: u32 = outcome.stdout.trim().parse().unwrap();
    assert!((2..10).contains(&process), "it is process {process}, not one of the first of its own namespace");
    assert_eq!(host.mounts(), mounts);
    assert_eq!(machine_mounts(), machine, "mounts leaked");
}

#[test]
fn the_exit_code_is_the_program_s() {
    let host = host();
    assert_eq!(run(&host, &[], "exit 7").code, Some(7));
    assert_eq!(run(&host, &[], "kill -9 $$").code, Some(137));
}

#[test]
fn a_program_that_is_missing() {
    let host = LoopHost::new();
    let outcome = run(&host, &[], "exit 0");
    assert_eq!(outcome.code, Some(125), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("/usr/bin/sh does not start"), "{}", outcome.stderr);
}

#[test]
fn a_symlink_in_the_place_of_a_mount_point_is_not_followed() {
    let host = host();
    let outside = host.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir(host.snapshot(1).join("proc")).unwrap();
    std::os::unix::fs::symlink(&outside, host.snapshot(1).join("proc")).unwrap();
    let outcome = run(&host, &[], "exit 0");
    assert_eq!(outcome.code, Some(125), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the directory proc of the target"), "{}", outcome.stderr);
}

#[test]
fn it_ends_when_whoever_started_it_is_gone() {
    let host = host();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"]);
    command.arg(program::path("tiu")).arg("in-target").arg(host.snapshot(1));
    command.args(["--", "/usr/bin/sh", "-c", "sleep 300"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    drop(child.stdin.take());
    let began = std::time::Instant::now();
    child.wait().unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}
