//! Immutable and append-only files, directories and entries of snapper.

use super::{STATE, apply};
use std::fs;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::tool;
use tiu_testing::tree;

/// Runs chattr(1) on `paths` in snapshot `number`.
fn chattr(host: &LoopHost, number: u32, flag: &str, paths: &[&str]) {
    host.edit(number, |root| {
        for path in paths {
            let path = root.join(path);
            tool("chattr", "e2fsprogs", &[flag.as_ref(), path.as_os_str()]).succeeded();
        }
    });
}

/// Returns true if the inode has the flag, as lsattr(1) prints it.
fn has_flag(host: &LoopHost, number: u32, path: &str, flag: char) -> bool {
    let path = host.snapshot(number).join(path);
    let listed = tool("lsattr", "e2fsprogs", &["-d".as_ref(), path.as_os_str()]).succeeded().stdout;
    listed.split(' ').next().unwrap().contains(flag)
}

/// Images 1 and 2, which differ in what the tests lock.
fn two_images(kit: &Kit) -> [std::path::PathBuf; 2] {
    [1, 2].map(|version| {
        kit.bundle(version, |root| {
            tree::file(root, "usr/bin/tool", format!("{version}"));
            tree::file(root, "usr/share/docs/same", "same");
            tree::file(root, &format!("usr/share/docs/only-{version}"), "x");
            tree::file(root, "etc/motd", format!("{version}"));
        })
    })
}

#[test]
fn immutable_and_append_only_files_of_the_image_do_not_stop_an_update() {
    let kit = Kit::new();
    for flag in ["+i", "+a"] {
        let host = kit.host();
        let [first, second] = two_images(&kit);
        apply(&host, &first);
        let locked =
            ["usr/bin/tool", "usr/share/docs/same", "usr/share/docs/only-1", "usr/share/docs", "usr/bin"];
        chattr(&host, 2, flag, &locked);
        let verified = host.tiu("verify", ["2"]).refused(&[]);
        assert!(verified.stdout.contains("/usr/bin/tool: flags"), "{}", verified.stdout);
        host.tiu("apply", ["--dry-run".as_ref(), second.as_os_str()]).succeeded();
        apply(&host, &second);
        host.tiu("verify", ["3"]).succeeded();
        for path in ["usr/bin/tool", "usr/share/docs/same", "usr/share/docs", "usr/bin"] {
            assert!(!has_flag(&host, 3, path, flag.chars().nth(1).unwrap()), "{path}");
        }
        assert!(!host.snapshot(3).join("usr/share/docs/only-1").exists());
    }
}

#[test]
fn an_immutable_file_of_the_host_stays_immutable() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, second] = two_images(&kit);
    apply(&host, &first);
    host.edit(2, |root| {
        tree::file(root, "etc/motd", "the administrator's");
        tree::file(root, "etc/own", "own");
    });
    chattr(&host, 2, "+i", &["etc/motd", "etc/own", "etc/passwd"]);
    // Also in tiu's own directory.
    host.edit(2, |root| {
        let state = root.join(STATE);
        tree::file(&state, "foreign/file", "x");
        // It fails at symlinks, after it changed the rest.
        tool("chattr", "e2fsprogs", &["-R".as_ref(), "+i".as_ref(), state.as_os_str()]);
    });
    apply(&host, &second);
    assert_eq!(fs::read(host.snapshot(3).join("etc/motd")).unwrap(), b"the administrator's");
    for path in ["etc/motd", "etc/own", "etc/passwd"] {
        assert!(has_flag(&host, 3, path, 'i'), "{path}");
    }
    host.tiu("verify", ["3"]).succeeded();
    // And the next update works, too.
    apply(&host, &kit.bundle(3, |_| {}));
}

#[test]
fn an_immutable_root_does_not_stop_an_update_or_its_undoing() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, second] = two_images(&kit);
    apply(&host, &first);
    chattr(&host, 2, "+i", &[""]);
    // A draft that fails is removed, although it is a copy of an immutable root.
    let failing = kit.bundle(2, |root| tiu_testing::system::dracut(root, "exit 3\n"));
    host.tiu("apply", [failing]).refused(&["initrd"]);
    assert_eq!(host.snapshots(), [1, 2]);
    apply(&host, &second);
    host.tiu("verify", ["3"]).succeeded();
    assert_eq!(host.default(), 3);
}

#[test]
fn an_unfinished_snapshot_with_an_immutable_root_is_cleaned_up() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, second] = two_images(&kit);
    apply(&host, &first);
    host.snapper(&["create", "--read-write", "--userdata", "tiu-state=in-progress", "--from", "2"])
        .succeeded();
    assert_eq!(host.snapshots(), [1, 2, 3]);
    chattr(&host, 3, "+i", &[""]);
    let applied = apply(&host, &second);
    assert_eq!(applied["removed"], serde_json::json!([3]));
}

#[test]
fn flags_on_the_entries_of_snapper_do_not_stop_an_update() {
    let kit = Kit::new();
    let [first, second] = two_images(&kit);
    for flag in ["+i", "+a"] {
        let host = kit.host();
        let lock = |number: u32| {
            let entry = host.root().join(".snapshots").join(number.to_string());
            for path in [entry.join("info.xml"), entry] {
                tool("chattr", "e2fsprogs", &[flag.as_ref(), path.as_os_str()]).succeeded();
            }
        };
        apply(&host, &first);
        host.snapper(&["create", "--read-write", "--userdata", "tiu-state=in-progress", "--from", "2"])
            .succeeded();
        lock(2);
        lock(3);
        host.tiu("pin", ["2"]).succeeded();
        assert_eq!(host.tiu("cleanup", [""; 0]).succeeded().code, Some(0));
        assert_eq!(host.snapshots(), [1, 2], "{flag}");
        lock(2);
        apply(&host, &second);
        assert_eq!(host.default(), 3, "{flag}");
        lock(3);
        host.tiu("rollback", ["2"]).succeeded();
    }
}

#[test]
fn an_immutable_directory_of_snapshots_is_named_with_the_command() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, _] = two_images(&kit);
    let snapshots = host.root().join(".snapshots");
    tool("chattr", "e2fsprogs", &["+i".as_ref(), snapshots.as_os_str()]).succeeded();
    host.tiu("apply", [first.as_os_str()]).refused(&[".snapshots", "chattr -i -a"]);
    tool("chattr", "e2fsprogs", &["-i".as_ref(), snapshots.as_os_str()]).succeeded();
    apply(&host, &first);
}

#[test]
fn an_immutable_file_with_a_name_of_the_host_and_one_of_the_image() {
    let kit = Kit::new();
    let host = kit.host();
    let [first, second] = two_images(&kit);
    apply(&host, &first);
    host.edit(2, |root| {
        for (image, own) in [("usr/share/docs/same", "etc/own"), ("usr/bin/tool", "etc/tool")] {
            fs::hard_link(root.join(image), root.join(own)).unwrap();
        }
    });
    chattr(&host, 2, "+i", &["etc/own", "etc/tool"]);
    apply(&host, &second);
    host.tiu("verify", ["3"]).succeeded();
    for (image, own, is, was) in
        [("usr/share/docs/same", "etc/own", "same", "same"), ("usr/bin/tool", "etc/tool", "2", "1")]
    {
        let new = host.snapshot(3);
        assert_eq!(fs::read_to_string(new.join(image)).unwrap(), is);
        assert_eq!(fs::read_to_string(new.join(own)).unwrap(), was);
        assert!(has_flag(&host, 3, own, 'i') && !has_flag(&host, 3, image, 'i'), "{image}");
    }
}
