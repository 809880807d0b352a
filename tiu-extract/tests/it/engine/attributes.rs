//! Owners, modes, extended attributes, ACLs, capabilities.

use super::model::{Model, NodeKind, xattrs};
use super::run::{Options, apply, apply_with, differences};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use tiu_extract::Rules;
use tiu_testing::btrfs::LoopBtrfs;

/// A POSIX ACL: owner, user `uid`, owning group, group `gid`, mask, others.
fn acl(uid: u32, gid: u32) -> Vec<u8> {
    let none = u32::MAX;
    let entries: [(u16, u16, u32); 6] =
        [(1, 6, none), (2, 4, uid), (4, 4, none), (8, 4, gid), (16, 6, none), (32, 4, none)];
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

/// `cap_net_raw=ep`, as `setcap` writes it (VFS_CAP_REVISION_2).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn rich() -> Model {
    let mut model = Model::new();
    let file = model.file("file", "x");
    file.mode = 0o664;
    file.xattrs.insert(b"user.plain".to_vec(), b"value".to_vec());
    file.xattrs.insert(b"user.binary".to_vec(), vec![0, 255, 1]);
    file.xattrs.insert(b"user.empty".to_vec(), Vec::new());
    file.xattrs.insert(b"user.long".to_vec(), vec![b'l'; 3000]);
    file.xattrs.insert(b"trusted.t".to_vec(), b"t".to_vec());
    file.xattrs.insert(b"system.posix_acl_access".to_vec(), acl(1001, 1002));
    let ping = model.file("ping", "program");
    (ping.mode, ping.uid, ping.gid) = (0o755, 3, 4);
    ping.xattrs.insert(b"security.capability".to_vec(), CAPABILITY.to_vec());
    let dir = model.dir("shared");
    dir.mode = 0o2775;
    dir.gid = 50;
    dir.xattrs.insert(b"system.posix_acl_default".to_vec(), acl(1001, 1002));
    dir.xattrs.insert(b"user.on-dir".to_vec(), b"d".to_vec());
    // Would inherit the group and an ACL.
    model.file("shared/plain", "p");
    model.dir("shared/dir");
    model.add("shared/link", NodeKind::Symlink(b"plain".to_vec()));
    model.add("shared/fifo", NodeKind::Fifo);
    let link = model.add("link", NodeKind::Symlink(b"file".to_vec()));
    link.xattrs.insert(b"trusted.on-link".to_vec(), b"l".to_vec());
    let device = model.add("device", NodeKind::CharDev(rustix::fs::makedev(1, 3)));
    device.xattrs.insert(b"trusted.on-device".to_vec(), b"c".to_vec());
    model.0.get_mut(&b""[..]).unwrap().xattrs.insert(b"user.root".to_vec(), b"r".to_vec());
    model
}

#[test]
fn attributes_come_stay_change_and_go() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = rich();
    apply(&model, &dir);
    model.assert_is(&dir);
    assert_eq!(apply(&model, &dir).described, "");
    let file = model.get("file");
    file.xattrs.insert(b"user.plain".to_vec(), b"another value".to_vec());
    file.xattrs.remove(&b"user.binary"[..]);
    file.xattrs.insert(b"system.posix_acl_access".to_vec(), acl(2001, 2002));
    model.get("ping").uid = 5;
    model.get("shared").xattrs.remove(&b"system.posix_acl_default"[..]);
    model.file("shared/new", "n");
    apply(&model, &dir);
    model.assert_is(&dir);
    for inode in model.0.values_mut() {
        inode.xattrs.clear();
    }
    apply(&model, &dir);
    model.assert_is(&dir);
    apply(&rich(), &dir);
    rich().assert_is(&dir);
}

#[test]
fn content_changes_and_attributes_stay() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = rich();
    apply(&model, &dir);
    model.get("file").what = NodeKind::File(b"yy".to_vec());
    model.get("ping").what = NodeKind::File(tiu_testing::tree::noise(1, 50_000));
    model.get("ping").mode = 0o4755;
    apply(&model, &dir);
    model.assert_is(&dir);
}

#[test]
fn owners_are_mapped_by_number_also_in_acls() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let model = rich();
    let rules = Rules {
        uids: HashMap::from([(3, 303), (1001, 91)]),
        gids: HashMap::from([(4, 404), (1002, 92)]),
        ..Rules::default()
    };
    let options = Options { rules, ..Options::default() };
    apply_with(&model, &dir, &options).unwrap();
    let mut mapped = model.clone();
    (mapped.get("ping").uid, mapped.get("ping").gid) = (303, 404);
    mapped.get("file").xattrs.insert(b"system.posix_acl_access".to_vec(), acl(91, 92));
    mapped.get("shared").xattrs.insert(b"system.posix_acl_default".to_vec(), acl(91, 92));
    mapped.assert_is(&dir);
    assert_eq!(apply_with(&model, &dir, &options).unwrap().described, "");
}

#[test]
fn labels_of_the_host_and_properties_of_the_filesystem_are_not_ours() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = Model::new();
    model.file("file", "x");
    model.dir("dir");
    apply(&model, &dir);
    let label = b"system_u:object_r:etc_t:s0\0";
    for name in ["file", "dir"] {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(dir.join(name), "security.selinux", label, flags).unwrap();
    }
    rustix::fs::setxattr(dir.join("dir"), "btrfs.compression", b"zstd", rustix::fs::XattrFlags::empty())
        .unwrap();
    assert_eq!(apply(&model, &dir).described, "");
    model.get("file").uid = 5;
    model.get("dir").mode = 0o700;
    apply(&model, &dir);
    assert_eq!(xattrs(&dir.join("file"))[&b"security.selinux"[..]], label);
    assert_eq!(xattrs(&dir.join("dir"))[&b"btrfs.compression"[..]], b"zstd");
    // A label that the image has is the image's.
    model.get("file").xattrs.insert(b"security.selinux".to_vec(), b"other\0".to_vec());
    assert_eq!(differences(&model, &dir, &Rules::default())[0].what, "xattrs");
    apply(&model, &dir);
    assert_eq!(xattrs(&dir.join("file"))[&b"security.selinux"[..]], b"other\0");
}

#[test]
fn without_owners_everything_belongs_to_the_caller() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let mut model = rich();
    model.get("ping").mode = 0o4755;
    let options = Options { rules: Rules { owner: false, ..Rules::default() }, ..Options::default() };
    apply_with(&model, &dir, &options).unwrap();
    let ping = dir.join("ping").metadata().unwrap();
    assert_eq!((ping.uid(), ping.mode() & 0o7777), (0, 0o755));
    assert!(xattrs(&dir.join("ping")).is_empty());
    assert!(xattrs(&dir.join("file")).contains_key(&b"user.plain"[..]));
    assert!(!xattrs(&dir.join("file")).contains_key(&b"trusted.t"[..]));
    assert_eq!(apply_with(&model, &dir, &options).unwrap().described, "");
}

#[test]
fn a_check_names_every_difference() {
    let fs = LoopBtrfs::new(256);
    let dir = fs.subvolume("t");
    let model = rich();
    apply(&model, &dir);
    let set_mtime = |name: &str| {
        let file = std::fs::File::open(dir.join(name)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789);
        file.set_modified(time).unwrap();
    };
    std::fs::write(dir.join("file"), "y").unwrap();
    set_mtime("file");
    std::fs::write(dir.join("ping"), "longer program").unwrap();
    std::fs::remove_file(dir.join("link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", dir.join("link")).unwrap();
    std::os::unix::fs::chown(dir.join("shared/plain"), Some(9), None).unwrap();
    std::fs::remove_file(dir.join("shared/fifo")).unwrap();
    std::fs::create_dir(dir.join("shared/fifo")).unwrap();
    std::fs::create_dir(dir.join("extra")).unwrap();
    std::fs::write(dir.join("extra/new\nline"), "").unwrap();
    std::fs::remove_file(dir.join("device")).unwrap();
    set_mtime("shared");
    set_mtime(".");
    let found = differences(&model, &dir, &Rules::default());
    let lines: Vec<String> = found
        .iter()
        .map(|d| format!("{} {}: {} instead of {}", d.path, d.what, d.found, d.expected))
        .collect();
    let digest = |content: &[u8]| tiu_bundle::content_digest::digest_bytes(content).to_string();
    let starts = [
        "device missing: nothing instead of character device".to_owned(),
        "extra extra: directory instead of nothing".to_owned(),
        "extra/new\\nline extra: regular file instead of nothing".to_owned(),
        format!("file content: {} instead of {}", digest(b"y"), digest(b"x")),
        "link mtime: ".to_owned(),
        "link target: elsewhere instead of file".to_owned(),
        "link xattrs: none instead of trusted.on-link=\"l\"".to_owned(),
        "ping content: 14 bytes instead of 7 bytes".to_owned(),
        "ping mtime: ".to_owned(),
        "ping xattrs: none instead of security.capability=0x0100000200200000".to_owned(),
        "shared/fifo type: directory instead of named pipe".to_owned(),
        "shared/plain owner: 9:0 instead of 0:0".to_owned(),
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&start), "{line}\n{start}");
    }
}
