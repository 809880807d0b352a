//! Subvolumes inside the snapshot, and data of a host that mounts nothing.

use super::{apply, data, declaring, warning};
use std::fs;
use std::path::Path;
use tiu_testing::kit::Kit;
use tiu_testing::program::tool;
use tiu_testing::tree;

#[test]
fn a_subvolume_inside_the_snapshot_would_be_left_behind() {
    let kit = Kit::new();
    let host = kit.host();
    host.edit(1, |root| {
        libbtrfsutil::create_subvolume(root.join("data")).unwrap();
        tree::file(root, "data/file", "the host's");
        // Nothing lasts there.
        libbtrfsutil::create_subvolume(root.join("tmp/x")).unwrap();
        tree::file(root, "tmp/x/file", "x");
        libbtrfsutil::create_subvolume(root.join("srv/empty")).unwrap();
    });
    let bundle = declaring(&kit, 1, "/data", data);
    for arguments in [vec![bundle.as_os_str()], vec!["--dry-run".as_ref(), bundle.as_os_str()]] {
        host.tiu("apply", arguments).refused(&[
            "/data of the host is a subvolume inside the snapshot, and what it holds would not be in the new one",
            "move what it holds to a subvolume outside of the snapshots",
        ]);
    }
    assert_eq!(host.snapshots(), [1]);
    // Once something else is mounted there, it is in nobody's way.
    host.edit(1, |root| {
        let fstab = fs::read_to_string(root.join("etc/fstab")).unwrap();
        tree::file(root, "etc/fstab", fstab + "UUID=0 /data btrfs subvol=@/data 0 0\n");
    });
    assert_eq!(apply(&host, &bundle)["persistent"][0]["state"], "host");
    assert_eq!(fs::read_to_string(host.snapshot(1).join("data/file")).unwrap(), "the host's");
}

#[test]
fn data_of_a_host_that_mounts_nothing_there_is_carried_over() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let fstab = fs::read_to_string(root.join("etc/fstab")).unwrap();
        let lines = fstab.lines().filter(|line| !line.contains("/srv") && !line.contains("/home"));
        tree::file(root, "etc/fstab", lines.map(|line| format!("{line}\n")).collect::<String>());
        tree::file(root, "srv/www/index", "the host's");
        fs::create_dir_all(root.join("home/user")).unwrap();
    });
    let applied = apply(&host, &kit.bundle(1, |_| {}));
    let text = warning(&applied, "nothing is mounted at");
    assert!(
        text.starts_with(
            "nothing is mounted at /srv: what is there lies in the snapshots and was carried over"
        ),
        "{text}"
    );
    assert_eq!(fs::read_to_string(host.snapshot(2).join("srv/www/index")).unwrap(), "the host's");
}

#[test]
fn a_subvolume_with_data_inside_etc_is_refused() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let subvolume = |root: &Path| root.join("etc/ours").into_os_string();
    host.edit(2, |root| {
        let path = subvolume(root);
        tool("btrfs", "btrfs-progs", &["subvolume".as_ref(), "create".as_ref(), &path]).succeeded();
        tree::file(root, "etc/ours/key", "secret");
    });
    let before = host.snapshots();
    let second = kit.bundle(2, |_| {});
    for options in [vec!["--dry-run"], vec![]] {
        let arguments = options.iter().map(|option| option.as_ref()).chain([second.as_os_str()]);
        host.tiu("apply", arguments).refused(&["etc/ours", "move what it holds"]);
    }
    assert_eq!(host.snapshots(), before);
    assert_eq!(fs::read(host.snapshot(2).join("etc/ours/key")).unwrap(), b"secret");
    // An empty one holds nothing to lose.
    host.edit(2, |root| fs::remove_file(root.join("etc/ours/key")).unwrap());
    host.tiu("apply", [second]).succeeded();
}
