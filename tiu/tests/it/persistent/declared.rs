//! Paths that an image declares: new ones, existing ones, and lists that no host accepts.

use super::{all_well, apply, data, declaring, dry_run, mode_and_owner, saying, warning};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{outcome, tool};
use tiu_testing::tree;

#[test]
fn a_new_persistent_path_is_made_and_what_was_told_gives_it_a_subvolume() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    let second = declaring(&kit, 2, "/data", |root| {
        data(root);
        tree::file(root, "data/default", "is left out when packing");
    });
    let dry = dry_run(&host, &second);
    assert!(
        dry.contains("warning   /data is persistent in the image, but nothing is mounted there"),
        "{dry}"
    );
    assert!(dry.contains("later     btrfs subvolume create /mnt/@/data\n"), "{dry}");
    assert_eq!(host.snapshots(), [1, 2]);

    let fstab = fs::read(host.snapshot(2).join("etc/fstab")).unwrap();
    let applied = apply(&host, &second);
    assert!(warning(&applied, "/data").contains("a rollback takes it back"), "{applied}");
    let told = &applied["persistent"][0];
    assert_eq!(
        (&told["path"], &told["declared"], &told["state"]),
        (&json!("data"), &json!(true), &json!("empty"))
    );
    assert_eq!(mode_and_owner(&host.snapshot(3).join("data")), (0o2770, 6, 12));
    assert_eq!(fs::read_dir(host.snapshot(3).join("data")).unwrap().count(), 0);
    assert_eq!(fs::read(host.snapshot(3).join("etc/fstab")).unwrap(), fstab, "fstab is never touched");
    all_well(&host, "3");

    // Somebody writes there, and then does what was told, to the letter but for where this host is
    // mounted.
    host.reboot();
    host.edit(3, |root| tree::file(root, "data/early", "kept"));
    let (device, root, top) = (host.device(), host.root(), host.scratch().join("mnt"));
    fs::create_dir(&top).unwrap();
    let commands: Vec<&str> = told["commands"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(commands.len(), 6, "{commands:?}");
    host.edit(3, |tree| {
        for command in &commands[..5] {
            let here = command
                .replace("subvolid=5 UUID=0", &format!("subvolid=5 {device}"))
                .replace("/mnt", &top.display().to_string())
                .replace("auto /data", &format!("auto {}", root.join("data").display()))
                .replace(">> /etc/fstab", &format!(">> {}", tree.join("etc/fstab").display()));
            outcome(Command::new("sh").args(["-euc", &here])).succeeded();
        }
    });
    assert_eq!(commands[5], "mount /data");
    let mount = |host: &LoopHost| {
        let place = host.root().join("data");
        tool(
            "mount",
            "mount",
            &["-o".as_ref(), "subvol=@/data".as_ref(), host.device().as_ref(), place.as_os_str()],
        )
        .succeeded();
    };
    mount(&host);
    assert_eq!(mode_and_owner(&host.root().join("data")), (0o2770, 6, 12));
    tree::file(&host.root(), "data/late", "in the subvolume");

    // From now on it is like any mount point.
    let applied = apply(&host, &declaring(&kit, 3, "/data", data));
    assert_eq!(
        applied["persistent"],
        json!([{"path": "data", "declared": true, "state": "host", "commands": []}])
    );
    assert_eq!(applied["warnings"], json!([]));
    all_well(&host, "4");
    // Even for an image that knows nothing of it.
    host.reboot();
    mount(&host);
    host.tiu("apply", [kit.bundle(4, |_| {})]).succeeded();
    host.reboot();
    mount(&host);
    for (name, content) in [("early", "kept"), ("late", "in the subvolume")] {
        assert_eq!(fs::read_to_string(host.root().join("data").join(name)).unwrap(), content);
    }
    assert!(
        fs::read_to_string(host.root().join("etc/fstab"))
            .unwrap()
            .ends_with("UUID=0 /data btrfs subvol=/@/data 0 0\n")
    );
    all_well(&host, "5");
}

#[test]
fn what_a_persistent_path_holds_in_the_snapshot_is_carried_over() {
    let kit = Kit::new();
    let host = kit.host();
    // It was an ordinary directory of the image before.
    host.tiu("apply", [kit.bundle(1, |root| tree::file(root, "data/of-the-image", "1"))]).succeeded();
    host.edit(2, |root| {
        tree::file(root, "data/db/rows", "the host's");
        let rows = root.join("data/db/rows");
        chown(&rows, Some(1000), Some(1001)).unwrap();
        fs::set_permissions(&rows, PermissionsExt::from_mode(0o600)).unwrap();
        tool(
            "setfattr",
            "attr",
            &["-n".as_ref(), "user.a".as_ref(), "-v".as_ref(), "1".as_ref(), rows.as_os_str()],
        )
        .succeeded();
        tree::file(root, "data/of-the-image", "changed");
    });
    let kept = |number: u32| {
        let data = host.snapshot(number).join("data");
        assert_eq!(fs::read_to_string(data.join("db/rows")).unwrap(), "the host's");
        assert_eq!(mode_and_owner(&data.join("db/rows")), (0o600, 1000, 1001));
        let found = tool("getfattr", "attr", &["-d".as_ref(), data.join("db/rows").as_os_str()]).succeeded();
        assert!(found.stdout.contains("user.a=\"1\""), "{}", found.stdout);
        assert_eq!(fs::read_to_string(data.join("of-the-image")).unwrap(), "changed");
        all_well(&host, &number.to_string());
    };
    let applied = apply(&host, &declaring(&kit, 2, "/data", data));
    assert_eq!(applied["persistent"][0]["state"], "in-snapshot");
    assert!(warning(&applied, "/data").contains("was carried over"), "{applied}");
    kept(3);
    // Later images declare it no more, and do not have it.
    for version in [3, 4] {
        let applied = apply(&host, &kit.bundle(version, |_| {}));
        let told = &applied["persistent"][0];
        assert_eq!((&told["declared"], &told["state"]), (&json!(false), &json!("in-snapshot")));
        assert!(warning(&applied, "/data").contains("was persistent in an earlier image"), "{applied}");
        kept(version + 1);
    }
    // One that has files of its own there does not get them in.
    let applied = apply(&host, &kit.bundle(5, |root| tree::file(root, "data/db/rows", "the image's")));
    assert_eq!(applied["not_installed"][0]["path"], "data");
    kept(6);
    // When nothing is left there, it goes.
    host.edit(6, |root| {
        fs::remove_dir_all(root.join("data")).unwrap();
        fs::create_dir(root.join("data")).unwrap();
    });
    let applied = apply(&host, &kit.bundle(6, |_| {}));
    assert_eq!(applied["persistent"], json!([]));
    assert!(!host.snapshot(7).join("data").exists());
    all_well(&host, "7");
}

#[test]
fn something_else_where_the_image_wants_a_persistent_directory() {
    let kit = Kit::new();
    let host = kit.host();
    host.edit(1, |root| symlink("var/data", root.join("data")).unwrap());
    let bundle = declaring(&kit, 1, "/data", data);
    let before = host.state();
    for arguments in [vec![bundle.as_os_str()], vec!["--dry-run".as_ref(), bundle.as_os_str()]] {
        host.tiu("apply", arguments).refused(&[
            "/data is persistent in the image, and on the host /data is a symbolic link, expected a directory or nothing",
            "name /data under host-paths in tiu.yaml",
        ]);
    }
    assert_eq!(host.state(), before);
    host.edit(1, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        tree::file(root, "etc/tiu/tiu.yaml", config + "host-paths: [/data]\n");
    });
    let applied = apply(&host, &bundle);
    assert_eq!(applied["persistent"][0]["state"], "host");
    assert_eq!(fs::read_link(host.snapshot(2).join("data")).unwrap(), Path::new("var/data"));
    all_well(&host, "2");
}

#[test]
fn a_link_on_the_way_to_a_persistent_path() {
    let kit = Kit::new();
    let host = kit.host();
    host.edit(1, |root| symlink("var/export", root.join("export")).unwrap());
    let bundle = declaring(&kit, 1, "/export/home", |_| {});
    host.tiu("apply", [bundle]).refused(&[
        "/export/home is persistent in the image, and on the host /export is a symbolic link, expected a directory",
        "name /export under host-paths",
    ]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn an_older_image_s_own_link_becomes_the_directory() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |root| symlink("var/data", root.join("data")).unwrap())]).succeeded();
    apply(&host, &declaring(&kit, 2, "/data", data));
    assert_eq!(mode_and_owner(&host.snapshot(3).join("data")), (0o2770, 6, 12));
    assert!(host.snapshot(3).join("data").symlink_metadata().unwrap().is_dir());
    all_well(&host, "3");
}

#[test]
fn lists_that_no_host_takes() {
    let kit = Kit::new();
    let host = kit.host();
    let before = host.state();
    let refused = |list: &str, needles: &[&str]| {
        let bundle = saying(&kit, 1, &format!("version: 1\npersistent: {list}\n"), |root| {
            symlink("etc", root.join("link")).unwrap();
        });
        host.tiu("apply", [bundle]).refused(needles);
    };
    refused(
        "[data]",
        &["image.yaml of the image", "found \"data\", expected an absolute path", "ask the image's maker"],
    );
    refused("[/data/../etc]", &["expected an absolute path without `.`, `..`"]);
    refused("[/]", &["found \"/\", expected an absolute path"]);
    refused("[/etc]", &["/etc belongs to the image"]);
    refused("[/etc/ssh]", &["found \"/etc/ssh\", but /etc belongs to the image"]);
    refused("[/usr/bin]", &["/usr belongs to the image"]);
    refused("[/boot]", &["/boot belongs to the image"]);
    refused("[/proc/x]", &["the content of /proc does not survive a boot"]);
    refused("[/var/lib/x]", &["/var already belongs to the host"]);
    refused("[/x, /x/y]", &["\"/x/y\" in addition to \"/x\""]);
    refused("[/link]", &["found \"/link\", which is a symbolic link in the image, expected a directory"]);
    refused("[/link/ssh]", &["found \"/link/ssh\", which is missing in the image"]);
    refused("7", &["image.yaml of the image", "ask the image's maker"]);
    let many: Vec<String> = (0..101).map(|i| format!("/d{i}")).collect();
    refused(&format!("[{}]", many.join(", ")), &["found 101 paths, expected at most 100"]);
    assert_eq!(host.state(), before);
}
