//! `info`, `list` and `verify` of a good bundle: what they print for people and for programs.

use super::kit::{Kit, zst};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tiu_bundle::index::{EntryBuf, Kind};
use tiu_system::path::TreePath;
use tiu_testing::assert_output;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::program::RunOutput;
use tiu_testing::stable::{stable, stable_json};
use tiu_testing::tree;

/// Names and content of the regular files.
const FILES: [(&[u8], &[u8]); 4] = [
    (b"bin/tool", b"#!/bin/sh\n"),
    (b"bin/tool-too", b"#!/bin/sh\n"),
    (b"not utf-8 \xff\xfe", b"odd"),
    (b"two\nlines \x1b[31m", b"odder"),
];

/// A bundle with names of all kinds, a set-uid program with two names, a symlink, a device, an
/// extended attribute.
fn bundle(kit: &Kit) -> PathBuf {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("bin")).unwrap();
    for (path, content) in FILES {
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(path)), content).unwrap();
    }
    tree::file(root.path(), "filling", tree::noise(1, 10_000));
    let mut entries: Vec<EntryBuf> = FILES.iter().map(|(path, content)| file_entry(path, content)).collect();
    (entries[0].mode, entries[0].nlink, entries[0].uid) = (0o4755, 2, 7);
    entries[0].xattrs = vec![(b"user.note".as_slice().into(), b"\x01\x02".as_slice().into())];
    let inode = entries[0].clone();
    entries[1] = EntryBuf {
        path: TreePath::literal("bin/tool-too").into(),
        kind: Kind::HardLink,
        link: Some(TreePath::literal("bin/tool").into()),
        ..inode
    };
    let target = b"bin/tool".as_slice();
    entries.extend([
        entry("bin", Kind::Dir, 0o1777),
        EntryBuf {
            target: Some(target.into()),
            size: target.len() as u64,
            ..entry("link", Kind::Symlink, 0o777)
        },
        EntryBuf { rdev: 0x103, ..entry("null", Kind::CharDev, 0o666) },
    ]);
    let index = index_of(entries);
    let mut parts = Parts::new(image(root.path(), Some(&zst(&index))), &index);
    parts.manifest.description = Some("For tests".into());
    parts.manifest.tiu.kernel = Some("6.1.0-test".into());
    kit.bundle(&parts)
}

#[track_caller]
fn json_of(outcome: RunOutput) -> Value {
    let value: Value = serde_json::from_str(&outcome.succeeded().stdout).unwrap();
    assert_eq!(value["version"], 1);
    value
}

#[test]
fn info_for_people() {
    let kit = Kit::new();
    let shown = kit.run("info", [bundle(&kit)]).succeeded().stdout;
    assert_output!("info", stable(&shown, &[]));
    assert!(shown.contains("Content         0 B in 8 entries\n"), "{shown}");
    assert!(!shown.contains("Build"), "what the manifest does not say is not shown:\n{shown}");
}

#[test]
fn info_for_programs() {
    let kit = Kit::new();
    let bundle = bundle(&kit);
    let size = fs::metadata(&bundle).unwrap().len();
    let shown = kit.run("info", ["--json".as_ref(), bundle.as_path()]).succeeded();
    assert_output!("info_json", stable_json(&shown.stdout, &[]));
    let info = json_of(shown);
    let image = &info["image"];
    assert_eq!((&image["files"], &image["size"]), (&json!(8), &json!(0)));
    let part = |name: &str| info["layout"][name].as_u64().unwrap();
    assert_eq!(part("image") + part("hash_tree") + part("cms") + 8, size);
}

#[test]
fn list_for_people() {
    let kit = Kit::new();
    let shown = kit.run("list", [bundle(&kit)]).succeeded().stdout;
    assert_output!("list", shown);
}

#[test]
fn list_for_programs() {
    let kit = Kit::new();
    let shown = kit.run("list", ["--json".as_ref(), bundle(&kit).as_path()]).succeeded().stdout;
    let list: Value = serde_json::from_str(&shown).unwrap();
    assert_output!("list_json", format!("{list:#}"));
}

#[test]
fn list_of_a_part() {
    let kit = Kit::new();
    let bundle = bundle(&kit);
    let paths = |arguments: &[&Path]| -> Vec<String> {
        let shown = kit.run("list", [&[bundle.as_path()], arguments].concat()).succeeded().stdout;
        shown.lines().map(|line| line.split_once("Z ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(paths(&["bin/tool".as_ref()]), ["/", "/bin", "/bin/tool"]);
    assert_eq!(
        paths(&["/bin/".as_ref(), "null".as_ref()]),
        ["/", "/bin", "/bin/tool", "/bin/tool-too = /bin/tool", "/null"]
    );
    // The first of the names that are listed is the inode.
    assert_eq!(paths(&["bin/tool-too".as_ref()]), ["/", "/bin", "/bin/tool-too"]);
    assert_eq!(paths(&["/".as_ref()]).len(), 8);
    let absent = kit.run("list", [bundle.as_path(), "bin/to".as_ref()]);
    absent.refused(&["the image has no bin/to", "tiu-extract list"]);
}

#[test]
fn verify_for_people_and_for_programs() {
    let kit = Kit::new();
    // A device and owners that the squashfs does not have: metadata is the index's alone.
    let bundle = bundle(&kit);
    let shown = kit.run("verify", [&bundle]).succeeded().stdout;
    assert!(
        shown.starts_with("testos version 1: verified, signed by CN=Test Signer, O=tiu test\n"),
        "{shown}"
    );
    assert!(shown.contains("18 B in 8 entries, all as signed"), "{shown}");
    let verified = json_of(kit.run("verify", ["--json".as_ref(), bundle.as_path()]));
    assert_eq!((&verified["verified"], &verified["entries"]), (&json!(true), &json!(8)));
    assert_eq!((&verified["content_bytes"], &verified["image_version"]), (&json!(18), &json!("1")));
    assert_eq!(verified["signer"]["subject"], "CN=Test Signer, O=tiu test");
    assert!(verified["seconds"].is_number() && verified["image_bytes"].is_number(), "{verified:#}");
}

#[test]
fn progress_for_programs() {
    let kit = Kit::new();
    let shown =
        kit.run("verify", ["--progress".as_ref(), "json".as_ref(), bundle(&kit).as_path()]).succeeded();
    let lines: Vec<Value> = shown.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["version"] == 1 && line["phase"].is_string()), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line["ended"] == true).count(), 2, "{lines:?}");
    let quiet =
        kit.run("verify", ["--progress".as_ref(), "none".as_ref(), bundle(&kit).as_path()]).succeeded();
    assert_eq!(quiet.stderr, "");
}
