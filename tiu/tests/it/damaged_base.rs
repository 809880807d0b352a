//! A base whose own files are damaged: the next update goes on with a warning, and heals it.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::{json as document, tool};
use tiu_testing::tree;

const STATE: &str = "usr/lib/sysimage/tiu";

/// A damage: its name, and what does it to a file.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 7] = [
    ("empty", |path| fs::write(path, "").unwrap()),
    ("truncated", |path| {
        let content = fs::read(path).unwrap();
        fs::write(path, &content[..content.len() / 2]).unwrap();
    }),
    ("garbage", |path| {
        let mut content = fs::read(path).unwrap();
        let (size, mut x) = (content.len(), 7u8);
        for byte in &mut content[size / 3..] {
            x = x.wrapping_mul(151).wrapping_add(41);
            *byte ^= x | 1;
        }
        fs::write(path, content).unwrap();
    }),
    ("directory", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), "in the way").unwrap();
    }),
    ("dangling link", |path| {
        fs::remove_file(path).unwrap();
        symlink("nowhere", path).unwrap();
    }),
    ("looping link", |path| {
        fs::remove_file(path).unwrap();
        symlink(path.file_name().unwrap(), path).unwrap();
    }),
    ("fifo", |path| {
        fs::remove_file(path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    }),
];

fn apply(host: &LoopHost, bundle: &Path) -> Value {
    document(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded())
}

/// Sets `field` of the JSON document at `path`.
fn set(path: &Path, field: &str, value: Value) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    document[field] = value;
    fs::write(path, document.to_string()).unwrap();
}

const ILLEGAL_IN_RECORD: [Damage; 4] = [
    ("an absolute path", |path| set(path, "files", json!([{"path": "/boot/x", "target": "y"}]))),
    ("a path that climbs", |path| set(path, "persistent", json!(["../data"]))),
    ("a path with an empty component", |path| set(path, "persistent", json!(["data", "srv2//x"]))),
    ("an initrd elsewhere", |path| set(path, "initrd", json!({"path": "../initrd", "judged": true}))),
];

const ILLEGAL_IN_REPORT: [Damage; 2] = [
    ("an absolute path", |path| set(path, "paths", json!([decided("/etc/app.conf")]))),
    ("a path that climbs", |path| set(path, "paths", json!([decided("etc/a"), decided(r"etc/\x2e\x2e/b")]))),
];

fn decided(path: &str) -> Value {
    json!({
        "path": path, "side": "host", "reason": "admin-changed", "conflict": false,
        "base": null, "host": null, "image": null,
    })
}

/// Damages `file` of the base in each of the ways `damages`. Each time, a dry run succeeds, an update warns, and the
/// new snapshot is what was signed.
fn an_update_heals(file: &str, damages: &[Damage]) {
    let kit = Kit::new();
    let host = kit.host_with(1024, |_| {});
    let (first, second) = (kit.bundle(1, |_| {}), kit.bundle(2, |_| {}));
    let mut number = apply(&host, &first)["snapshot"].as_u64().unwrap();
    for (i, (name, damage)) in damages.iter().enumerate() {
        let base = u32::try_from(number).unwrap();
        host.edit(base, |root| damage(&root.join(STATE).join(file)));
        let bundle = if i % 2 == 0 { &second } else { &first };
        let options = ["--allow-downgrade".as_ref(), bundle.as_os_str()];
        host.tiu("apply", ["--dry-run".as_ref(), options[0], options[1]]).succeeded();
        let applied = document(&host.tiu("apply", ["--json".as_ref(), options[0], options[1]]).succeeded());
        let warnings = applied["warnings"].to_string();
        assert!(warnings.contains(&format!("{STATE}/{file}")), "{name}: {warnings}");
        number = applied["snapshot"].as_u64().unwrap();
        host.tiu("verify", [number.to_string()]).succeeded();
        assert!(host.snapshot(u32::try_from(number).unwrap()).join(STATE).join(file).is_file(), "{name}");
        // The next update has nothing to warn of.
        assert_eq!(host.tiu("apply", [bundle.as_os_str()]).code, Some(77), "{name}");
    }
}

#[test]
fn a_damaged_report_of_etc_is_healed_by_an_update() {
    an_update_heals("etc.json", &DAMAGES);
}

#[test]
fn a_damaged_record_is_healed_by_an_update() {
    an_update_heals("generated.json", &DAMAGES);
}

#[test]
fn an_illegal_path_in_the_report_of_etc_is_healed_by_an_update() {
    an_update_heals("etc.json", &ILLEGAL_IN_REPORT);
}

#[test]
fn an_illegal_path_in_the_record_is_healed_by_an_update() {
    an_update_heals("generated.json", &ILLEGAL_IN_RECORD);
}

#[test]
fn a_damaged_manifest_is_healed_by_an_update() {
    an_update_heals("bundle.cms", &DAMAGES);
}

#[test]
fn a_damaged_index_is_healed_by_an_update() {
    an_update_heals("index.zst", &DAMAGES);
}

#[test]
fn the_same_image_again_heals_a_damaged_index() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});
    apply(&host, &bundle);
    host.edit(2, |root| fs::write(root.join(STATE).join("index.zst"), "x").unwrap());
    host.tiu("verify", ["2"]).refused(&["index.zst"]);
    assert_eq!(apply(&host, &bundle)["snapshot"], 3);
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn persistent_data_survives_a_damaged_record() {
    let kit = Kit::new();
    let host = kit.host();
    let declaring = |version: u32, more: &str| {
        let text = version.to_string();
        let recipe = Recipe { compatible: "testos", version: &text, more };
        kit.bundle_of(version, recipe, |root| fs::create_dir(root.join("data")).unwrap())
    };
    apply(&host, &declaring(1, "persistent: [/data]\n"));
    host.edit(2, |root| {
        tree::file(root, "data/db", "ours");
        fs::write(root.join(STATE).join("generated.json"), "{").unwrap();
    });
    let applied = apply(&host, &declaring(2, ""));
    assert!(applied["warnings"].to_string().contains("generated.json is damaged"), "{applied}");
    assert_eq!(fs::read(host.snapshot(3).join("data/db")).unwrap(), b"ours");
}

#[test]
fn the_etc_of_a_host_survives_a_damaged_manifest() {
    let kit = Kit::new();
    let host = kit.host();
    apply(&host, &kit.bundle(1, |root| tree::file(root, "etc/app.conf", "image 1")));
    host.edit(2, |root| {
        tree::file(root, "etc/app.conf", "the administrator's");
        tree::file(root, "etc/own.conf", "own");
        fs::write(root.join(STATE).join("bundle.cms"), "x").unwrap();
    });
    apply(&host, &kit.bundle(2, |root| tree::file(root, "etc/app.conf", "image 2")));
    let read = |path: &str| fs::read_to_string(host.snapshot(3).join(path)).unwrap();
    assert_eq!(read("etc/app.conf"), "the administrator's");
    assert_eq!(read("etc/own.conf"), "own");
}

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
