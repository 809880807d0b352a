//! `extract` of a good bundle: whole, in part, with seeds, as a plan.

use super::kit::{Kit, zst};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_bundle::index::{EntryBuf, Kind};
use tiu_system::path::TreePath;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::program::outcome;
use tiu_testing::tree::{self, noise};

const ODD: &[u8] = b"usr/odd \xff\n name";

/// A bundle with a program of two names, a large file, an odd name and an `etc`.
fn bundle(kit: &Kit) -> PathBuf {
    let root = tempfile::tempdir().unwrap();
    let large = noise(5, 500_000);
    tree::file(root.path(), "usr/bin/tool", "tool");
    fs::hard_link(root.path().join("usr/bin/tool"), root.path().join("usr/bin/zool")).unwrap();
    tree::file(root.path(), "usr/share/large", &large);
    tree::file(root.path(), "etc/conf", "conf");
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(ODD)), "odd").unwrap();
    let tool = EntryBuf { mode: 0o4755, nlink: 2, uid: 12, gid: 34, ..file_entry("usr/bin/tool", b"tool") };
    let link = EntryBuf {
        path: TreePath::literal("usr/bin/zool").into(),
        kind: Kind::HardLink,
        link: Some(TreePath::literal("usr/bin/tool").into()),
        ..tool.clone()
    };
    let index = index_of([
        entry("etc", Kind::Dir, 0o755),
        file_entry("etc/conf", b"conf"),
        entry("usr", Kind::Dir, 0o755),
        entry("usr/bin", Kind::Dir, 0o755),
        tool,
        link,
        file_entry(ODD, b"odd"),
        entry("usr/share", Kind::Dir, 0o755),
        file_entry("usr/share/large", &large),
    ]);
    kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index))
}

fn names(dir: &Path) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = tree::state(dir)
        .into_keys()
        .map(|path| path.strip_prefix(dir).unwrap().as_os_str().as_bytes().to_vec())
        .collect();
    names.sort();
    names
}

#[test]
fn whole() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.target());
    let before = tree::state(&target);
    kit.run("extract", [&bundle, &target])
        .refused(&["files and directories that the image does not have, the first: /", "--delete"]);
    assert_eq!(tree::state(&target), before);
    let arguments = [bundle.as_os_str(), target.as_os_str(), "--delete".as_ref()];
    let shown = kit.run("extract", arguments).succeeded().stdout;
    assert!(shown.starts_with("testos version 1: "), "{shown}");
    let expected: [&[u8]; 10] = [
        b"",
        b"etc",
        b"etc/conf",
        b"usr",
        b"usr/bin",
        b"usr/bin/tool",
        b"usr/bin/zool",
        ODD,
        b"usr/share",
        b"usr/share/large",
    ];
    assert_eq!(names(&target), expected, "what the image lacks is removed");
    let tool = fs::metadata(target.join("usr/bin/tool")).unwrap();
    assert_eq!((tool.mode() & 0o7777, tool.uid(), tool.gid(), tool.nlink()), (0o4755, 12, 34, 2));
    assert_eq!(
        (tool.mtime(), tool.ino()),
        (1_700_000_000, fs::metadata(target.join("usr/bin/zool")).unwrap().ino())
    );
    assert_eq!(fs::read(target.join("usr/share/large")).unwrap(), noise(5, 500_000));
    // The second time there is nothing to do.
    let before = tree::state(&target);
    let again = kit.run("extract", ["--json".as_ref(), bundle.as_path(), &target]).succeeded().stdout;
    let report: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&report["version"], &report["image_version"]), (&1.into(), &"1".into()));
    assert_eq!(report["summary"]["written"], 0, "{report:#}");
    assert_eq!(report["summary"]["unchanged"], 10, "{report:#}");
    assert_eq!(tree::state(&target), before);
}

#[test]
fn part() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.target());
    let odd = PathBuf::from(std::ffi::OsStr::from_bytes(ODD));
    kit.run("extract", [bundle.as_path(), &target, "/usr/bin/zool".as_ref(), "etc".as_ref(), &odd])
        .succeeded();
    // What else is there stays.
    let expected: [&[u8]; 11] = [
        b"",
        b"a",
        b"etc",
        b"etc/conf",
        b"link",
        b"old",
        b"old/file",
        b"usr",
        b"usr/bin",
        b"usr/bin/zool",
        ODD,
    ];
    assert_eq!(names(&target), expected);
    assert_eq!(fs::read(target.join("usr/bin/zool")).unwrap(), b"tool");
    assert_eq!(fs::metadata(target.join("usr/bin/zool")).unwrap().nlink(), 1);
    assert_eq!(fs::read(target.join("a")).unwrap(), b"another content");
}

#[test]
fn part_that_the_image_lacks() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.target());
    let before = tree::state(&target);
    kit.run("extract", [bundle.as_path(), &target, "etc".as_ref(), "usr/sbin".as_ref()])
        .refused(&["the image has no usr/sbin", "tiu-extract list"]);
    kit.run("extract", [bundle.as_path(), &target, "../etc".as_ref()]).refused(&["the image has no ../etc"]);
    assert_eq!(tree::state(&target), before);
}

#[test]
fn seeds_share_their_content() {
    let kit = Kit::new();
    let bundle = bundle(&kit);
    let disk = LoopBtrfs::new(64);
    let (seed, target) = (disk.path().join("seed"), disk.path().join("target"));
    tree::file(&seed, "under/another/name", noise(5, 500_000));
    let run = |target: &Path, more: &[&std::ffi::OsStr]| -> Value {
        let arguments = [&[bundle.as_os_str(), target.as_os_str(), "--json".as_ref()], more].concat();
        serde_json::from_str(&kit.run("extract", arguments).succeeded().stdout).unwrap()
    };
    let before = tree::state(&seed);
    let seeded = run(&target, &["--seed".as_ref(), seed.as_os_str()]);
    assert_eq!(seeded["summary"]["reflinked"], 1, "{seeded:#}");
    assert_eq!(fs::read(target.join("usr/share/large")).unwrap(), noise(5, 500_000));
    assert_eq!(tree::state(&seed), before);
    let alone = run(&disk.path().join("alone"), &[]);
    assert_eq!(alone["summary"]["reflinked"], 0, "{alone:#}");
    let arguments = [bundle.as_os_str(), target.as_os_str(), "--seed".as_ref(), "/nowhere".as_ref()];
    kit.run("extract", arguments).refused(&["/nowhere"]);
}

#[test]
fn dry_run_shows_the_plan_and_writes_nothing() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.target());
    let before = tree::state(&target);
    let run = |more: &[&str]| {
        let more = more.iter().map(std::ffi::OsStr::new).chain([bundle.as_os_str(), target.as_os_str()]);
        kit.run("extract", [std::ffi::OsStr::new("--dry-run")].into_iter().chain(more)).succeeded().stdout
    };
    let shown = run(&[]);
    for path in ["usr/share/large", "etc/conf", "old/file", "link"] {
        assert!(shown.lines().any(|line| line.contains(path)), "{path} is not in\n{shown}");
    }
    let report: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!((&report["version"], &report["seconds"]), (&1.into(), &Value::Null));
    assert!(report["summary"]["removed"].as_u64().unwrap() >= 3, "{report:#}");
    assert_eq!(tree::state(&target), before, "something was written");
}

#[test]
fn two_runs_at_once() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.target());
    let before = tree::state(&target);
    let other = fs::File::open(&target).unwrap();
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    kit.run("extract", [&bundle, &target]).refused(&["another tiu-extract is writing to", "wait until"]);
    assert_eq!(tree::state(&target), before);
    kit.run("extract", ["--dry-run".as_ref(), bundle.as_path(), &target]).succeeded();
    drop(other);
    kit.run("extract", [bundle.as_os_str(), target.as_os_str(), "--delete".as_ref()]).succeeded();
}

#[test]
fn one_core_gives_the_same() {
    let kit = Kit::new();
    let (bundle, target) = (bundle(&kit), kit.path("new"));
    let program = env!("CARGO_BIN_EXE_tiu-extract");
    let mut taskset = Command::new("taskset");
    taskset
        .args(["-c", "0", program, "extract", "--delete", "--keyring"])
        .arg(kit.keyring())
        .args([&bundle, &target]);
    outcome(&mut taskset).succeeded();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(names(&target).len(), 10);
}
