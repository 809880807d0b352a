//! The hidden subcommand that runs a program of the new system in it.

use rustix::thread::CapabilitySet;
use std::fs;
use std::process::{Command, Stdio};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{self, RunOutput, outcome};
use tiu_testing::system::{bootable, dracut};

const UNSHARE: [&str; 10] = [
    "--mount",
    "--propagation",
    "private",
    "--net",
    "--ipc",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--",
];

/// Runs `script` in snapshot 1 of `host` as `apply` would.
fn run(host: &LoopHost, profile: &str, script: &str) -> RunOutput {
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(program::path("tiu")).args(["in-target", "--as", profile]);
    command.arg(host.snapshot(1));
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
fn with_block_devices_it_sees_those_of_the_machine() {
    let host = host();
    let mounts = host.mounts();
    let machine = machine_mounts();
    let script = "set -e; [ -b /dev/loop0 ]; [ ! -e /dev/loop-control ]; [ ! -e /dev/kmsg ]; [ ! -e /dev/pts ]
        [ -d /sys/class/block ]; [ -e /proc/self/mounts ]; dd if=/dev/zero count=1 2>/dev/null >/dev/null; echo $$";
    let outcome = run(&host, "dracut-here", script).succeeded();
    let process: u32 = outcome.stdout.trim().parse().unwrap();
    assert!((2..10).contains(&process), "it is process {process}, not one of the first of its own namespace");
    assert_eq!(host.mounts(), mounts);
    assert_eq!(machine_mounts(), machine, "mounts leaked");
    run(&host, "dracut", "[ ! -e /dev/loop0 ]").succeeded();
}

/// The names of the capabilities in the line `field` of /proc/PID/status.
fn capabilities(status: &str, field: &str) -> Vec<String> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_else(|| panic!("{status}"));
    let set = CapabilitySet::from_bits_retain(u64::from_str_radix(line.trim(), 16).unwrap());
    set.iter_names().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn it_has_the_capabilities_of_its_profile_and_no_others() {
    let host = host();
    let dracut = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SYS_CHROOT", "MKNOD"];
    for (profile, more) in
        [("dracut", None), ("dracut-here", None), ("dracut-here-mapped", Some("SYS_ADMIN"))]
    {
        let status = run(&host, profile, "cat /proc/self/status").succeeded().stdout;
        let mut expected: Vec<_> = dracut.into_iter().chain(more).collect();
        expected.sort_unstable();
        for field in ["CapPrm:", "CapEff:", "CapBnd:"] {
            let mut found = capabilities(&status, field);
            found.sort_unstable();
            assert_eq!(found, expected, "{profile} {field}");
        }
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
}

#[test]
fn it_has_no_network() {
    let host = host();
    let listed = run(&host, "dracut-here", "cat /proc/net/dev; echo /sys/class/net/*").succeeded().stdout;
    let interfaces: Vec<_> = listed.lines().filter_map(|line| line.split_once(':')).collect();
    assert!(interfaces.iter().all(|(name, _)| name.trim() == "lo"), "{listed}");
    assert!(listed.trim().ends_with("/sys/class/net/lo"), "{listed}");
}

#[test]
fn it_cannot_change_the_kernel_s_settings_or_reach_devices_by_nodes_of_its_own() {
    let host = host();
    for profile in ["dracut", "dracut-here"] {
        let script = "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/power/state; do
            (echo x >$file) 2>/dev/null && echo wrote $file; done
            for dir in /tmp /var/tmp /run /usr /dev /dev/shm; do
            mknod $dir/node b 7 0 2>/dev/null && dd if=$dir/node count=1 2>/dev/null && echo read $dir/node; done
            mount -t tmpfs none /tmp 2>/dev/null && echo mounted; exit 0";
        let outcome = run(&host, profile, script).succeeded();
        assert_eq!(outcome.stdout, "", "{profile}");
    }
    // The script can do all of it where it is not confined: mknod and mount are in the target.
    let script = "set -e; mknod /tmp/node b 7 0; [ -b /tmp/node ]; mount --version >/tmp/v";
    run(&host, "dracut", script).succeeded();
}

#[test]
fn the_running_system_s_files_are_not_mounted() {
    let host = host();
    let mounts = run(&host, "dracut-here", "cat /proc/self/mounts").succeeded().stdout;
    let places: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let expected = ["/", "/proc", "/sys", "/dev", "/dev/shm", "/run", "/tmp", "/var"];
    let unexpected: Vec<_> =
        places.iter().filter(|at| !expected.contains(at) && **at != "/run/udev").collect();
    assert!(unexpected.is_empty(), "{mounts}");
    assert_eq!(places.iter().filter(|at| **at == "/").count(), 1, "{mounts}");
}

#[test]
fn dracut_gets_no_descriptor_of_the_caller() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| {
        let body = "echo \"initrd for $kernel\" >\"$image\"
            { echo /proc/self/fd/*; echo /proc/1/fd/*; cat /proc/net/dev /proc/self/status; } >>\"$image\"\n";
        dracut(root, body);
    });
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 7</etc/shadow 9>/dev/full; exec \"$@\"", "sh"]);
    let apply = host.command("apply");
    shell.arg(apply.get_program()).args(apply.get_args()).arg(bundle);
    outcome(&mut shell).succeeded();
    let seen = fs::read_to_string(host.snapshot(2).join("boot/initramfs-6.1.1-test.img")).unwrap();
    let descriptors: Vec<_> = seen.lines().filter(|line| line.starts_with("/proc/")).collect();
    assert_eq!(descriptors.len(), 2, "{seen}");
    for line in descriptors {
        // The shell reads the script from a descriptor of its own, 10 or more.
        let own = |path: &&str| path.ends_with("/7") || path.ends_with("/9");
        assert_eq!(line.split(' ').filter(own).count(), 0, "{seen}");
    }
    let interfaces = seen.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    let interfaces: Vec<_> = interfaces.take_while(|name| *name != "Name").collect();
    assert_eq!(interfaces, ["lo"], "{seen}");
    assert!(!capabilities(&seen, "CapEff:").contains(&"SYS_ADMIN".to_owned()), "{seen}");
}

#[test]
fn the_exit_code_is_the_program_s() {
    let host = host();
    assert_eq!(run(&host, "dracut", "exit 7").code, Some(7));
    assert_eq!(run(&host, "dracut", "kill -9 $$").code, Some(137));
}

#[test]
fn a_program_that_is_missing() {
    let host = LoopHost::new();
    let outcome = run(&host, "dracut", "exit 0");
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
    let outcome = run(&host, "dracut", "exit 0");
    assert_eq!(outcome.code, Some(125), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the directory proc of the target"), "{}", outcome.stderr);
}

#[test]
fn it_ends_when_whoever_started_it_is_gone() {
    let host = host();
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(program::path("tiu")).args(["in-target", "--as", "dracut"]);
    command.arg(host.snapshot(1));
    command.args(["--", "/usr/bin/sh", "-c", "sleep 300"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    drop(child.stdin.take());
    let began = std::time::Instant::now();
    child.wait().unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}
