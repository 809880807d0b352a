//! Files that no image brought are named before they are gone, and a swap file is refused.

use crate::second_update::host;
use std::fs;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::program::{json, tool};
use tiu_testing::tree;

#[test]
fn what_no_image_brought_is_named_with_its_size() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        tree::file(root, "data/db/table", "12345");
        tree::file(root, "data/log", "123");
        tree::file(root, "usr/bin/tool", "1234567");
        // The next image has one of its own.
        tree::file(root, "usr/bin/common", "12");
        tree::file(root, "etc/mine", "stays");
        tree::file(root, "usr/local/bin/mine", "stays");
        // The image brought these.
        tree::file(root, "usr/share/same", "changed");
        fs::remove_file(root.join("usr/share/only-1")).unwrap();
    });
    let bundle = kit.bundle(2, |root| tree::file(root, "usr/bin/common", "the image's"));
    let line = "6 files and directories (17 B): /data (4 files and directories, 8 B), /usr/bin/common (2 B), /usr/bin/tool (7 B)";
    let planned = host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded().stdout;
    assert!(planned.contains(line) && planned.contains("only in snapshot 2"), "{planned}");
    let expected = serde_json::json!({
        "entries": 6,
        "bytes": 17,
        "first": [
            {"path": "data", "entries": 4, "bytes": 8},
            {"path": "usr/bin/common", "entries": 1, "bytes": 2},
            {"path": "usr/bin/tool", "entries": 1, "bytes": 7},
        ],
    });
    let planned =
        json(&host.tiu("apply", ["--dry-run".as_ref(), "--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(planned["foreign"], expected);
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(applied["foreign"], expected);
    assert!(applied["warnings"].to_string().contains(line), "{applied}");
    assert!(!host.snapshot(3).join("data").exists() && host.snapshot(2).join("data/log").exists());
}

#[test]
fn an_ordinary_update_names_nothing() {
    let kit = Kit::new();
    let host = host(&kit, |_| {});
    let bundle = kit.bundle(2, |_| {});
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(applied["foreign"], serde_json::json!({"entries": 0, "bytes": 0, "first": []}));
}

#[test]
fn a_swap_file_of_fstab_in_the_snapshot_is_refused() {
    let kit = Kit::new();
    let host = host(&kit, |root| {
        tree::file(root, "swapfile", "swap");
        let fstab = fs::read_to_string(root.join("etc/fstab")).unwrap();
        tree::file(root, "etc/fstab", fstab + "/swapfile none swap sw 0 0\n");
    });
    let bundle = kit.bundle(2, |_| {});
    let before = host.state();
    for options in [&["--dry-run"][..], &[]] {
        let mut arguments = options.to_vec();
        arguments.push(bundle.to_str().unwrap());
        host.tiu("apply", arguments).refused(&[
            "/swapfile is swap in /etc/fstab",
            "host-paths",
            "subvolume of its own",
        ]);
    }
    assert_eq!(host.state(), before);
    host.edit(2, |root| {
        let yaml = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", yaml + "host-paths: /swapfile\n");
    });
    host.tiu("apply", [bundle]).succeeded();
    assert_eq!(fs::read_to_string(host.snapshot(3).join("swapfile")).unwrap(), "swap");
}

/// A host whose snapshot 2, which is not read-only, holds a file that can be made active swap, and
/// that can run programs.
fn with_swap_file(kit: &Kit) -> LoopHost {
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, live::programs)]).succeeded();
    let root = host.snapshot(2);
    let run = |program, package, arguments: &[&str]| {
        let path = root.join("swapfile");
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).chain([path.as_os_str()]).collect();
        tool(program, package, &arguments).succeeded();
    };
    let read_write = ["property", "set"].map(AsRef::as_ref);
    let property: Vec<_> =
        read_write.into_iter().chain([root.as_os_str(), "ro".as_ref(), "false".as_ref()]).collect();
    tool("btrfs", "btrfs-progs", &property).succeeded();
    fs::write(root.join("swapfile"), "").unwrap();
    run("chattr", "e2fsprogs", &["+C"]);
    fs::set_permissions(root.join("swapfile"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    run("fallocate", "util-linux", &["--length", "1M"]);
    run("mkswap", "util-linux", &[]);
    host.reboot();
    host
}

const SWAP_ON: &str = "swapon \"$root/swapfile\"; trap 'swapoff \"$root/swapfile\"' EXIT";
const NEEDLES: [&str; 2] = ["/swapfile is active swap", "swapoff /swapfile"];

#[test]
fn a_swap_file_in_use_in_the_running_system_is_refused_before_a_snapshot_is_made() {
    let kit = Kit::new();
    let host = with_swap_file(&kit);
    let bundle = kit.bundle(2, |_| {});
    let path = bundle.to_str().unwrap();
    for arguments in [&["apply", "--dry-run", path][..], &["apply", path]] {
        live::tiu_after(&host, &[&bundle], SWAP_ON, arguments).refused(&NEEDLES);
    }
    assert_eq!(host.snapshots(), [1, 2]);
    // No longer in use, it is named as what no image brought.
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    assert_eq!(applied["foreign"]["first"][0]["path"], "swapfile");
}

#[test]
fn a_swap_file_in_use_of_another_host_is_refused_before_a_snapshot_is_made() {
    /// Ends the use of the file also if an assertion fails.
    struct SwapOff<'a>(&'a std::path::Path);
    impl Drop for SwapOff<'_> {
        fn drop(&mut self) {
            tool("swapoff", "mount", &[self.0.as_os_str()]);
        }
    }
    let kit = Kit::new();
    let host = with_swap_file(&kit);
    let bundle = kit.bundle(2, |_| {});
    for path in [host.root().join("swapfile"), host.snapshot(2).join("swapfile")] {
        tool("swapon", "mount", &[path.as_os_str()]).succeeded();
        let _off = SwapOff(&path);
        host.tiu("apply", [&bundle]).refused(&NEEDLES);
        // What copies the snapshot without an image names the cause, too.
        host.edit(2, |root| fs::write(root.join("etc/app.conf"), "mine").unwrap());
        host.tiu("etc", ["reset", "--in", "snapshot", "/etc/app.conf"])
            .refused(&["Text file busy", "swapon --show"]);
    }
    assert_eq!(host.snapshots(), [1, 2]);
    host.tiu("apply", [&bundle]).succeeded();
}
