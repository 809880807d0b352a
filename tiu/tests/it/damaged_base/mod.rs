//! A base whose own files are damaged: the next update goes on with a warning, and heals it.

mod flags;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::json as document;
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
