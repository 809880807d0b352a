//! Files of an image below persistent paths and mount points, and mounts without fstab.

use super::{all_well, apply, dry_run, saying, warning};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::tool;
use tiu_testing::tree;

#[test]
fn files_of_an_image_below_a_persistent_path_are_told_and_not_installed() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = saying(&kit, 1, "version: 1\npersistent: [/data]\n", |root| {
        for name in ["a", "b", "c", "d"] {
            tree::file(root, &format!("data/{name}"), "x");
        }
    });
    let applied = apply(&host, &bundle);
    assert_eq!(
        applied["not_installed"],
        json!([{"path": "data", "entries": 4, "first": ["data/a", "data/b", "data/c"]}])
    );
    assert_eq!(fs::read_dir(host.snapshot(2).join("data")).unwrap().count(), 0);
    all_well(&host, "2");
}

/// Returns a bundle with files at a path where a host may have its own filesystem.
fn image_with_data(kit: &Kit) -> PathBuf {
    kit.bundle(1, |root| tree::file(root, "data/x", "the image's"))
}

const NOT_INSTALLED: &str =
    "/data belongs to the host: 1 entries of the image there are not installed: /data/x";

#[test]
fn files_of_an_image_at_a_mount_point_are_told_and_not_installed() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let fstab = fs::read_to_string(root.join("etc/fstab")).unwrap();
        tree::file(root, "etc/fstab", fstab + "/dev/sdb /data ext4 defaults 0 0\n");
        fs::create_dir(root.join("data")).unwrap();
    });
    let bundle = image_with_data(&kit);
    let dry = dry_run(&host, &bundle);
    assert!(dry.contains(&format!("warning   {NOT_INSTALLED}\n")), "{dry}");
    assert!(!dry.contains("write     data/x"), "{dry}");
    let shown = host.tiu("apply", [&bundle]).succeeded().stdout;
    assert!(shown.contains(&format!("warning: {NOT_INSTALLED}\n")), "{shown}");
    assert_eq!(fs::read_dir(host.snapshot(2).join("data")).unwrap().count(), 0);
}

#[test]
fn what_is_mounted_without_fstab_is_the_host_s_too() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| fs::create_dir(root.join("data")).unwrap());
    let mount = |host: &LoopHost| {
        let place = host.root().join("data");
        let arguments = ["-o", "subvol=@/srv", host.device()].map(AsRef::<std::ffi::OsStr>::as_ref);
        tool("mount", "mount", &[&arguments[..], &[place.as_os_str()]].concat()).succeeded();
    };
    mount(&host);
    let applied = apply(&host, &image_with_data(&kit));
    assert_eq!(warning(&applied, "/data"), NOT_INSTALLED);
    assert_eq!(fs::read_dir(host.snapshot(2).join("data")).unwrap().count(), 0);
    host.reboot();
    all_well(&host, "2");
    // An image without it does not take the mount point away.
    mount(&host);
    apply(&host, &kit.bundle(2, |_| {}));
    assert!(host.snapshot(3).join("data").is_dir());
    host.reboot();
    all_well(&host, "3");
}
