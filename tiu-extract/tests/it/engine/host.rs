//! Things that belong to the host: host paths, kept paths, mount points, nested subvolumes, the
//! client's own directory.

use super::model::{MTIME, Model, NodeKind};
use super::run::{Options, apply, apply_with, differences};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiu_extract::{EngineError, Rules};
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Watch;
use tiu_testing::btrfs::LoopBtrfs;

fn options(host: &[&str], keep: &[&str]) -> Options {
    let paths = |list: &[&str]| list.iter().map(|path| TreePathBuf::new(*path).unwrap()).collect();
    let rules = Rules { host_paths: paths(host), keep: paths(keep), ..Rules::default() };
    Options { rules, ..Options::default() }
}

/// Something mounted, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(arguments: &[&str], at: &Path) -> Self {
        assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
        Mounted(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn host_paths_are_left_alone_or_made_empty() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    fs::create_dir_all(dir.join("var/log")).unwrap();
    fs::write(dir.join("var/log/messages"), "host's").unwrap();
    fs::write(dir.join("machine-id"), "1234").unwrap();
    let mut model = Model::new();
    model.file("var/log/messages", "image's");
    model.file("home/user/file", "image's");
    model.get("home").mode = 0o711;
    model.file("machine-id", "");
    model.file("hostname", "image's");
    model.file("etc/fstab", "image's");
    let options = options(&["var", "home", "machine-id", "hostname", "srv"], &[]);
    apply_with(&model, &dir, &options).unwrap();
    assert_eq!(fs::read(dir.join("var/log/messages")).unwrap(), b"host's");
    assert_eq!(fs::read(dir.join("machine-id")).unwrap(), b"1234");
    assert_eq!(fs::read(dir.join("etc/fstab")).unwrap(), b"image's");
    assert_eq!(fs::read_dir(dir.join("home")).unwrap().count(), 0, "only the empty directory is made");
    assert_eq!(dir.join("home").metadata().unwrap().mode() & 0o7777, 0o711);
    assert!(!dir.join("hostname").exists() && !dir.join("srv").exists());
    fs::create_dir(dir.join("home/new")).unwrap();
    assert_eq!(apply_with(&model, &dir, &options).unwrap().described, "");
}

#[test]
fn nested_subvolumes_and_mount_points_are_left_alone() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("usr/bin/sh", "shell");
    model.dir("etc");
    model.file("etc/passwd", "image's");
    model.dir("bind");
    model.file("resolv.conf", "image's");
    fs::create_dir_all(dir.join("extra/deep")).unwrap();
    for path in ["etc", "extra/deep/sub"] {
        fs.subvolume(&format!("t/{path}"));
        fs::write(dir.join(path).join("hosts"), "host's").unwrap();
    }
    fs::create_dir(dir.join("mnt")).unwrap();
    fs::create_dir(dir.join("bind")).unwrap();
    fs::write(dir.join("resolv.conf"), "below the mount").unwrap();
    fs::write(fs.path().join("other"), "mounted").unwrap();
    let _tmpfs = Mounted::new(&["-t", "tmpfs", "none"], &dir.join("mnt"));
    fs::write(dir.join("mnt/file"), "host's").unwrap();
    // A bind mount of the same subvolume has the same device number.
    let bind = Mounted::new(&["--bind", dir.join("extra").to_str().unwrap()], &dir.join("bind"));
    let file = Mounted::new(&["--bind", fs.path().join("other").to_str().unwrap()], &dir.join("resolv.conf"));
    fs::write(dir.join("goes"), "").unwrap();
    fs::write(dir.join("extra/goes"), "").unwrap();
    let outcome = apply(&model, &dir);
    assert_eq!(outcome.summary.removed, 2);
    assert_eq!(fs::read(dir.join("etc/hosts")).unwrap(), b"host's");
    assert!(!dir.join("etc/passwd").exists());
    assert_eq!(fs::read(dir.join("extra/deep/sub/hosts")).unwrap(), b"host's");
    assert_eq!(fs::read(dir.join("mnt/file")).unwrap(), b"host's");
    assert_eq!(fs::read(dir.join("bind/deep/sub/hosts")).unwrap(), b"host's");
    assert_eq!(fs::read(dir.join("resolv.conf")).unwrap(), b"mounted");
    assert_eq!(fs::read(dir.join("usr/bin/sh")).unwrap(), b"shell");
    drop(bind);
    drop(file);
    apply(&model, &dir);
    assert_eq!(fs::read(dir.join("resolv.conf")).unwrap(), b"image's");
}

#[test]
fn placeholders_of_subvolumes_in_a_snapshot_become_directories_or_go() {
    let fs = LoopBtrfs::new(256);
    let base = fs.subvolume("base");
    for name in ["etc", "gone", "file"] {
        fs.subvolume(&format!("base/{name}"));
        fs::write(base.join(name).join("inside"), "x").unwrap();
    }
    let dir = fs.snapshot(&base, "t");
    assert_eq!(dir.join("etc").metadata().unwrap().ino(), 2);
    let mut model = Model::new();
    model.file("etc/passwd", "image's");
    model.file("file", "image's");
    let found = differences(&model, &dir, &Rules::default());
    assert!(
        found.iter().any(|d| d.path.as_bytes() == b"etc" && d.found == "placeholder of a subvolume"),
        "{found:?}"
    );
    apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn kept_paths_stay_as_they_are_alone() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    fs::create_dir_all(dir.join("etc/conf.d")).unwrap();
    fs::write(dir.join("etc/changed"), "admin's").unwrap();
    fs::write(dir.join("etc/added"), "admin's").unwrap();
    fs::write(dir.join("etc/conf.d/goes"), "image's of old").unwrap();
    fs::create_dir_all(dir.join("etc/mine/sub")).unwrap();
    fs::write(dir.join("etc/mine/sub/file"), "admin's").unwrap();
    fs::write(dir.join("etc/type"), "a file").unwrap();
    let mut model = Model::new();
    for name in
        ["etc/changed", "etc/removed", "etc/plain", "etc/conf.d/comes", "etc/type/inside", "etc/gone.d/x"]
    {
        model.file(name, "image's");
    }
    model.get("etc").mode = 0o700;
    let keep = [
        "etc/changed",
        "etc/added",
        "etc/removed",
        "etc/conf.d",
        "etc/type",
        "etc/gone.d",
        "etc/mine",
        "etc/mine/sub/file",
    ];
    let options = options(&[], &keep);
    let stat = |name: &str| {
        let stat = dir.join(name).metadata().unwrap();
        (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.mode(), stat.ctime(), stat.ctime_nsec())
    };
    let files = ["etc/changed", "etc/added", "etc/mine/sub/file", "etc/type"];
    let before: Vec<_> = files.iter().map(|name| stat(name)).collect();
    let conf_d = stat("etc/conf.d");
    apply_with(&model, &dir, &options).unwrap();
    assert_eq!(files.iter().map(|name| stat(name)).collect::<Vec<_>>(), before);
    let after = stat("etc/conf.d");
    assert_eq!((after.0, after.1, after.2, after.3), (conf_d.0, conf_d.1, conf_d.2, conf_d.3));
    assert!(!dir.join("etc/removed").exists() && !dir.join("etc/gone.d").exists());
    assert!(!dir.join("etc/conf.d/goes").exists());
    assert_eq!(fs::read(dir.join("etc/conf.d/comes")).unwrap(), b"image's");
    assert_eq!(fs::read(dir.join("etc/plain")).unwrap(), b"image's");
    assert_eq!(dir.join("etc").metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(apply_with(&model, &dir, &options).unwrap().described, "");
}

#[test]
fn a_kept_path_that_shares_its_inode_keeps_it() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("a", "x");
    model.link("b", "a");
    apply(&model, &dir);
    let ino = dir.join("b").metadata().unwrap().ino();
    let mut after = Model::new();
    after.file("a", "x");
    after.get("a").uid = 5;
    let options = options(&[], &["b"]);
    apply_with(&after, &dir, &options).unwrap();
    let kept = dir.join("b").metadata().unwrap();
    assert_eq!((kept.ino(), kept.uid(), kept.nlink()), (ino, 0, 1));
    assert_eq!(dir.join("a").metadata().unwrap().uid(), 5);
}

#[test]
fn a_directory_that_holds_what_is_the_hosts_cannot_become_a_file() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    fs::create_dir_all(dir.join("a/b/c")).unwrap();
    fs::write(dir.join("a/file"), "").unwrap();
    let mut model = Model::new();
    model.add("a", NodeKind::Symlink(b"x".to_vec()));
    let error = apply_with(&model, &dir, &options(&["a/b/c"], &[])).err().unwrap();
    let EngineError::Conflict { path, expected, held } = &error else { panic!("{error}") };
    assert_eq!((path.to_str(), held.to_str()), (Some("a"), Some("a/b/c")));
    assert_eq!(expected.to_string(), "symbolic link");
    assert!(dir.join("a/file").exists(), "nothing is touched before the plan stands");
}

#[test]
fn the_clients_directory_is_never_looked_into() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.dir("usr/lib/sysimage/tiu");
    apply(&model, &dir);
    fs::write(dir.join("usr/lib/sysimage/tiu/bundle.cms"), "signature").unwrap();
    assert_eq!(apply(&model, &dir).described, "", "its time is not ours");
    model.get("usr/lib/sysimage/tiu").mode = 0o700;
    apply(&model, &dir);
    assert_eq!(dir.join("usr/lib/sysimage/tiu").metadata().unwrap().mode() & 0o777, 0o700);
    apply(&Model::new(), &dir);
    assert_eq!(fs::read(dir.join("usr/lib/sysimage/tiu/bundle.cms")).unwrap(), b"signature");
    assert_eq!(MTIME.sec, dir.metadata().unwrap().mtime());
}

#[test]
fn a_nested_subvolume_that_is_part_of_the_tree() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    fs.subvolume("t/etc");
    let noise = tiu_testing::tree::noise(1, 50_000);
    fs::write(dir.join("etc/moves"), &noise).unwrap();
    fs::write(dir.join("etc/goes"), "").unwrap();
    let mut model = Model::new();
    model.file("usr/moved", &noise);
    model.file("etc/passwd", "image's");
    model.file("etc/one", "x");
    model.link("etc/two", "etc/one");
    // No inode has names on both sides of a subvolume's border.
    model.link("usr/three", "etc/one");
    model.link("usr/four", "etc/one");
    let rules = Rules { subvolumes: vec![TreePathBuf::new("etc").unwrap()], ..Rules::default() };
    let options = Options { rules, ..Options::default() };
    let outcome = apply_with(&model, &dir, &options).unwrap();
    assert_eq!(outcome.summary.reflinked, 1);
    let ino =
        |name: &str| (dir.join(name).metadata().unwrap().ino(), dir.join(name).metadata().unwrap().nlink());
    assert_eq!(ino("etc/one"), ino("etc/two"));
    assert_eq!(ino("usr/three"), ino("usr/four"));
    assert_eq!(ino("usr/three").1, 2);
    assert_eq!(fs::read(dir.join("usr/four")).unwrap(), b"x");
    assert!(!dir.join("etc/goes").exists());
    assert_eq!(apply_with(&model, &dir, &options).unwrap().described, "");
}

#[test]
fn what_the_index_lacks_stays_where_nothing_is_to_be_removed() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    fs::create_dir_all(dir.join("usr/more")).unwrap();
    fs::write(dir.join("usr/extra"), "stays").unwrap();
    fs::write(dir.join("usr/.tiu-0123456789abcdef-7"), "left by a killed run").unwrap();
    let mut model = Model::new();
    model.file("usr/bin/tool", "image's");
    let options = Options { rules: Rules { remove: false, ..Rules::default() }, ..Options::default() };
    let outcome = apply_with(&model, &dir, &options).unwrap();
    assert_eq!(outcome.summary.removed, 1);
    assert_eq!(fs::read(dir.join("usr/extra")).unwrap(), b"stays");
    assert!(dir.join("usr/more").is_dir());
    model.file("usr/more", "a file");
    apply_with(&model, &dir, &options).unwrap();
    fs::create_dir(dir.join("full")).unwrap();
    fs::write(dir.join("full/extra"), "stays").unwrap();
    model.file("full", "a file");
    let error = apply_with(&model, &dir, &options).err().unwrap();
    assert!(matches!(error, EngineError::Conflict { .. }), "{error}");
}

#[test]
fn what_is_the_hosts_is_carried_into_an_empty_tree() {
    let fs = LoopBtrfs::new(256);
    let (from, to) = (fs.subvolume("from"), fs.subvolume("to"));
    let mut base = Model::new();
    base.file("usr/bin/tool", "image's");
    base.file("etc/image", "image's");
    let mut host = Model::new();
    host.dir("").mode = 0o750;
    base.dir("").mode = 0o750;
    for model in [&mut base, &mut host] {
        model.dir("etc").uid = 7;
        model.file("etc/own", vec![1; 9000]).xattrs.insert(b"user.x".to_vec(), b"y".to_vec());
        model.link("etc/own-too", "etc/own");
        model.add("etc/link", NodeKind::Symlink(b"nowhere".to_vec()));
        model.dir("var/lib/data").mode = 0o700;
        model.file("var/lib/data/db", tiu_testing::tree::noise(5, 50_000)).uid = 1234;
        model.add("var/lib/data/pipe", NodeKind::Fifo);
        model.dir("mnt");
    }
    apply(&base, &from);
    let Options { rules, .. } =
        options(&["var/lib/data", "mnt", "missing"], &["etc/own", "etc/own-too", "etc/link", "etc/removed"]);
    let lock = |sign: &str| {
        let status =
            Command::new("chattr").arg(format!("{sign}i")).arg(from.join("var/lib/data/db")).status();
        assert!(status.unwrap().success());
    };
    lock("+");
    let carry = |to: &Path| {
        let (from, to) = (fs::File::open(&from).unwrap(), fs::File::open(to).unwrap());
        tiu_extract::carry_over(from.as_fd(), to.as_fd(), &rules, Watch::silent()).unwrap()
    };
    let flags = carry(&to);
    lock("-");
    host.assert_is(&to);
    let root = fs::File::open(&to).unwrap();
    tiu_extract::restore_flags(root.as_fd(), &flags).unwrap();
    fs::write(to.join("var/lib/data/db"), "").expect_err("it is immutable");
    tiu_extract::restore_flags(root.as_fd(), &[]).unwrap();
    assert!(Command::new("chattr").arg("-i").arg(to.join("var/lib/data/db")).status().unwrap().success());
}
