//! Hosts that cannot be updated: each is refused with an error of its own, and nothing is changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{self, RunOutput};
use tiu_testing::tree;

/// `tiu apply` on `root` with a bundle that is never reached.
fn apply(root: &Path) -> RunOutput {
    let kit = Kit::new();
    let mut tiu = Command::new(program::path("tiu"));
    tiu.arg("apply").arg("--root").arg(root).arg("--keyring").arg(kit.keyring()).arg("/nowhere/bundle.tiu");
    program::outcome(&mut tiu)
}

/// The host is refused with `needles` and stays as it is.
#[track_caller]
fn refused(host: &LoopHost, needles: &[&str]) {
    let before = host.state();
    apply(&host.root()).refused(needles);
    assert_eq!(host.state(), before, "something was changed");
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

#[test]
fn a_root_that_is_missing() {
    apply(Path::new("/nowhere/at/all")).refused(&["/nowhere/at/all", "No such file"]);
}

#[test]
fn a_root_that_is_not_btrfs() {
    // Not the temporary directory, which may be a btrfs.
    apply(Path::new("/proc")).refused(&["/proc is not on btrfs"]);
}

#[test]
fn a_root_without_snapshots() {
    let host = LoopHost::new();
    let inner = host.root().join("home/inner");
    fs::create_dir(&inner).unwrap();
    apply(&inner).refused(&["no .snapshots"]);
}

#[test]
fn snapshots_that_are_not_mounted() {
    let host = LoopHost::new();
    run("umount", &[], &host.root().join(".snapshots"));
    apply(&host.root()).refused(&[
        "no .snapshots",
        "not a mounted btrfs subvolume",
        "mount -o subvol=@/.snapshots",
    ]);
}

#[test]
fn a_root_without_snapper_configuration() {
    let host = LoopHost::with(512, |root| fs::remove_file(root.join("etc/snapper/configs/root")).unwrap());
    refused(&host, &["snapper is not configured", "create-config"]);
}

#[test]
fn snapshots_that_are_immutable() {
    let host = LoopHost::new();
    run("chattr", &["+i"], &host.root().join(".snapshots"));
    let before = host.state();
    let outcome = apply(&host.root());
    assert_eq!(host.state(), before, "something was changed");
    run("chattr", &["-i"], &host.root().join(".snapshots"));
    outcome.refused(&[".snapshots is not writable", "lsattr"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn snapshots_that_are_mounted_read_only() {
    let host = LoopHost::new();
    run("mount", &["-o", "remount,ro,bind"], &host.root().join(".snapshots"));
    refused(&host, &[".snapshots is not writable", "Read-only file system"]);
}

#[test]
fn an_etc_that_is_an_overlay() {
    let host = LoopHost::new();
    let etc = host.root().join("etc");
    let upper = host.root().join("var/upper");
    let work = host.root().join("var/work");
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", etc.display(), upper.display(), work.display());
    run("mount", &["-t", "overlay", "overlay", "-o", &options], &etc);
    refused(&host, &["/etc of the host is an overlay", "transactional-update 5"]);
}

#[test]
fn a_default_that_is_no_snapshot() {
    let kit = Kit::new();
    let host = kit.host();
    run("btrfs", &["subvolume", "set-default", "5"], &host.root());
    host.tiu("apply", [kit.bundle(1, |_| {})]).refused(&["not one of snapper's snapshots", "set-default"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn a_configuration_with_an_unknown_key() {
    let host = LoopHost::with(512, |root| tree::file(root, "etc/tiu/tiu.yaml", "keyrings: /x\n"));
    refused(&host, &["etc/tiu/tiu.yaml", "keyrings", "docs/guide/configuration.md"]);
}

#[test]
fn a_host_that_trusts_nobody() {
    let host = LoopHost::new();
    host.tiu("apply", ["/nowhere/bundle.tiu"]).refused(&["no certificate is trusted", "--keyring"]);
}

#[test]
fn a_bundle_that_is_missing() {
    let host = LoopHost::new();
    refused(&host, &["/nowhere/bundle.tiu", "No such file"]);
    assert_eq!(host.snapshots(), [1]);
}

fn btrfs(arguments: &[&str], path: &Path) {
    run("btrfs", arguments, path);
}

/// Limits the referenced bytes of the new snapshots of `host`, which snapper puts into qgroup 1/0.
fn limit(host: &LoopHost, bytes: &str) {
    btrfs(&["quota", "enable"], &host.root());
    btrfs(&["quota", "rescan", "-w"], &host.root());
    btrfs(&["qgroup", "create", "1/0"], &host.root());
    btrfs(&["qgroup", "limit", bytes, "1/0"], &host.root());
    host.edit(1, |root| {
        let path = root.join("etc/snapper/configs/root");
        let text = fs::read_to_string(&path).unwrap();
        let others = text.lines().filter(|line| !line.starts_with("QGROUP="));
        fs::write(&path, others.map(|line| format!("{line}\n")).collect::<String>() + "QGROUP=\"1/0\"\n")
            .unwrap();
    });
}

#[test]
fn a_quota_that_leaves_too_little_is_named_before_anything_is_touched() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(9, 40 << 20)));
    limit(&host, "30M");
    let before = host.state();
    let needles = ["the quota of btrfs qgroup 1/0 leaves", "MiB more", "btrfs qgroup show"];
    host.tiu("apply", [bundle.as_os_str(), "--dry-run".as_ref()]).refused(&needles);
    host.tiu("apply", [&bundle]).refused(&needles);
    assert_eq!(host.state(), before, "something was changed");
    btrfs(&["qgroup", "limit", "none", "1/0"], &host.root());
    host.tiu("apply", [&bundle]).succeeded();
}

#[test]
fn a_quota_of_a_qgroup_above_is_named_before_anything_is_touched() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(9, 40 << 20)));
    limit(&host, "none");
    for above in ["2/0", "3/9"] {
        btrfs(&["qgroup", "create", above], &host.root());
    }
    for (below, above) in [("1/0", "2/0"), ("2/0", "3/9")] {
        btrfs(&["qgroup", "assign", "--no-rescan", below, above], &host.root());
    }
    btrfs(&["quota", "rescan", "-w"], &host.root());
    btrfs(&["qgroup", "limit", "30M", "3/9"], &host.root());
    let before = host.state();
    for options in [&["--dry-run"][..], &[]] {
        let arguments = options.iter().map(AsRef::as_ref).chain([bundle.as_os_str()]);
        host.tiu("apply", arguments).refused(&["the quota of btrfs qgroup 3/9 leaves", "btrfs qgroup show"]);
    }
    assert_eq!(host.state(), before, "something was changed");
    btrfs(&["qgroup", "limit", "none", "3/9"], &host.root());
    host.tiu("apply", [&bundle]).succeeded();
}

#[test]
fn a_quota_on_the_new_snapshot_is_named() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| tree::file(root, "usr/share/large", tree::noise(9, 60 << 20)));
    btrfs(&["quota", "enable"], &host.root());
    btrfs(&["quota", "rescan", "-w"], &host.root());
    let outline = host.outline();
    let new = host.snapshot(2);
    std::thread::scope(|scope| {
        let apply = scope.spawn(|| host.tiu("apply", [&bundle]));
        while !new.exists() {
            assert!(!apply.is_finished(), "no snapshot was made");
            std::thread::sleep(Duration::from_millis(1));
        }
        btrfs(&["qgroup", "limit", "20M"], &new);
        let outcome = apply.join().unwrap();
        outcome.refused(&["quota", "btrfs qgroup show"]);
    });
    assert_eq!(host.outline(), outline, "something stayed");
}

#[test]
fn a_snapshot_that_snapper_no_longer_lists_is_named_with_its_file() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let file = host.root().join(".snapshots/1/info.xml");
    for (text, what) in [("", "is empty"), ("<snapshot><num>", "is not what snapper writes")] {
        fs::write(&file, text).unwrap();
        let outcome = host.tiu("apply", [&bundle]);
        outcome.refused(&[
            "snapshot 1 boots next, but snapper does not list it",
            "info.xml",
            what,
            "write it again",
        ]);
    }
    fs::remove_file(&file).unwrap();
    let found = host.tiu("apply", [&bundle]);
    let text = found.stderr.clone();
    found.refused(&["info.xml cannot be read: No such file", "printf"]);
    // What the hint says helps.
    let command = text.split_once("write it again: ").expect("a hint").1.lines().next().unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
    host.tiu("apply", [&bundle]).succeeded();
}

#[test]
fn a_fifo_in_place_of_info_xml_is_named_and_not_waited_for() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    host.tiu("apply", [&bundle]).succeeded();
    let path = host.root().join(".snapshots/2/info.xml");
    let content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    for command in ["status", "list", "cleanup", "verify"] {
        host.tiu(command, [""; 0]).refused(&["2/info.xml is not a regular file", "rm "]);
    }
    host.tiu("apply", [bundle.as_os_str(), "--force".as_ref()])
        .refused(&["2/info.xml is not a regular file"]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
    host.tiu("list", [""; 0]).succeeded();
}

#[test]
fn a_fifo_in_place_of_a_snapshot_is_named_and_not_waited_for() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let path = host.root().join(".snapshots/95");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let needles = [".snapshots/95 is not a directory", "snapper would wait", "rm "];
    host.tiu("apply", [&bundle]).refused(&needles);
    host.tiu("status", [""; 0]).refused(&needles);
    fs::remove_file(&path).unwrap();
    // What snapper ignores does not stop an update.
    fs::write(&path, "").unwrap();
    fs::create_dir_all(host.root().join(".snapshots/97/snapshot")).unwrap();
    host.tiu("apply", [&bundle]).succeeded();
}

#[test]
fn an_etc_that_is_not_in_the_snapshot_is_refused() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    let fstab = fs::read_to_string(host.snapshot(1).join("etc/fstab")).unwrap();
    host.edit(1, |root| tree::file(root, "etc/fstab", format!("{fstab}UUID=5 /etc ext4 defaults 0 2\n")));
    let needles = ["/etc of the host is a filesystem of its own (UUID=5)", "remove the mount from fstab"];
    host.tiu("apply", [&bundle]).refused(&needles);
    host.edit(1, |root| tree::file(root, "etc/fstab", format!("{fstab}/etc /etc none bind 0 0\n")));
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded();
    host.edit(1, |root| tree::file(root, "etc/fstab", &fstab));
    // Mounted by hand or by a unit.
    let etc = host.root().join("etc");
    let copy = host.scratch().join("etc");
    run("cp", &["-a", etc.to_str().unwrap()], &copy);
    run("mount", &["-t", "tmpfs", "tmpfs"], &etc);
    run("cp", &["-aT", copy.to_str().unwrap()], &etc);
    let outcome = host.tiu("apply", [&bundle]);
    run("umount", &[], &etc);
    outcome.refused(&["/etc of the host is a filesystem of its own (mounted at"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn flags_and_leftovers_in_the_directory_of_tiu_do_not_stop_an_update() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let home = host.root().join(".snapshots/.tiu");
    fs::create_dir(home.join(".state.json.new")).unwrap();
    for flag in ["+i", "+a"] {
        for path in ["state.json", "lock", ""] {
            run("chattr", &[flag], &home.join(path));
        }
        let version = if flag == "+i" { 2 } else { 3 };
        host.tiu("apply", [kit.bundle(version, |_| {})]).succeeded();
    }
    let remembered = fs::read_to_string(home.join("state.json")).unwrap();
    assert!(remembered.contains("\"version\": \"3\""), "{remembered}");
}
