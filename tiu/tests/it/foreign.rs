//! Files that no image brought are named before they are gone, and a swap file is refused.

use crate::second_update::host;
use std::fs;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
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
