//! Everything that a filesystem can hold comes through: the mounted image and the index are
//! compared with the tree.

use crate::place::{EPOCH, Place};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lgetxattr, llistxattr, lsetxattr,
    makedev, mknodat, utimensat,
};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use tiu_bundle::content_digest::digest_reader;
use tiu_bundle::index::{Entry, INDEX_PATH, Kind};
use tiu_system::path::TreePath;
use tiu_testing::program::tool;
use tiu_testing::tree::noise;

fn name(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn xattr(path: &Path, name: &[u8], value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty())
        .unwrap_or_else(|e| panic!("{}: {name:?}: {e}", path.display()));
}

fn set_mtime(path: &Path, sec: i64, nsec: i64) {
    let time = Timespec { tv_sec: sec, tv_nsec: nsec as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("a time");
}

/// A tree with one of everything under `usr/all`.
fn everything(root: &Path) -> PathBuf {
    let all = root.join("usr/all");
    fs::create_dir_all(&all).expect("a directory");
    let file = |name: &OsStr, content: &[u8]| {
        let path = all.join(name);
        fs::write(&path, content).expect("a file");
        path
    };
    // Names: not UTF-8, with newlines and other control characters, with what PAX, tar and
    // composefs give a meaning, long ones.
    for bytes in [
        b"not-utf8-\xff\xfe\x80".as_slice(),
        b"new\nline\n",
        b"\ttab \"quote' \\backslash",
        b" leading and trailing ",
        b"a=b",
        b"-",
        b"-rf",
        b"30 path=evil",
        "ä€𝄞".as_bytes(),
        b"\x01\x7f\x1b[31m",
        "9".repeat(99).as_bytes(),
        "a".repeat(100).as_bytes(),
        "b".repeat(101).as_bytes(),
        "c".repeat(255).as_bytes(),
        "\u{fc}".repeat(127).as_bytes(),
    ] {
        file(&name(bytes), bytes);
        fs::create_dir(
            all.join(name(
                &[b"d".as_slice(), bytes.get(..bytes.len().min(254)).unwrap_or_default()].concat(),
            )),
        )
        .expect("a directory");
    }
    // Paths longer than a ustar header's 255 bytes.
    let mut deep = all.join("deep");
    for i in 0..12 {
        deep.push(format!("{i}").repeat(50));
    }
    fs::create_dir_all(&deep).expect("a deep directory");
    fs::write(deep.join("bottom"), "here").expect("a file");
    fs::hard_link(deep.join("bottom"), all.join("top-of-bottom")).expect("a hard link");

    for size in [0usize, 1, 511, 512, 513, 4095, 4096, 4097, 131_071, 131_072, 131_073, 1_000_000] {
        file(OsStr::new(&format!("size-{size}")), &noise(size as u64, size));
        file(OsStr::new(&format!("zeros-{size}")), &vec![0; size]);
    }
    for mode in [0o0000, 0o0644, 0o4755, 0o2755, 0o1644, 0o7777] {
        let path = file(OsStr::new(&format!("mode-{mode:o}")), b"x");
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
        let dir = all.join(format!("dir-{mode:o}"));
        fs::create_dir(&dir).expect("a directory");
        fs::set_permissions(dir, PermissionsExt::from_mode(mode)).expect("a mode");
    }
    for id in [1, 1000, 65_535, 65_536, 2_097_151, 2_097_152, 4_294_967_294] {
        let path = file(OsStr::new(&format!("owner-{id}")), b"x");
        chown(path, Some(id), Some(id - 1)).expect("an owner");
    }
    for (i, sec) in
        [0, 1, -1, -62_135_596_800, 1_600_000_000, i64::from(u32::MAX) + 5].into_iter().enumerate()
    {
        set_mtime(&file(OsStr::new(&format!("time-{i}")), b"x"), sec, 123_456_789);
    }

    symlink("../target with \n newline", all.join("link")).expect("a link");
    symlink(OsStr::from_bytes(b"/not-utf8-\xff"), all.join("link-absolute")).expect("a link");
    symlink("t".repeat(101), all.join("link-101")).expect("a link");
    symlink("t".repeat(4000), all.join("link-4000")).expect("a link");
    symlink(".", all.join("link-dot")).expect("a link");
    lchown(all.join("link"), Some(7), Some(70_000)).expect("an owner");
    set_mtime(&all.join("link"), 1_234_567_890, 0);
    fs::hard_link(all.join("link"), all.join("link-again")).expect("a hard link to a link");

    let node = |name: &str, kind, device| {
        mknodat(CWD, all.join(name), kind, Mode::from_raw_mode(0o640), device)
            .expect("a node: run the tests as root");
    };
    node("null", FileType::CharacterDevice, makedev(1, 3));
    node("disk", FileType::BlockDevice, makedev(259, 1_048_575));
    node("char-large", FileType::CharacterDevice, makedev(4095, 300));
    node("fifo", FileType::Fifo, 0);
    fs::hard_link(all.join("fifo"), all.join("fifo-again")).expect("a hard link to a fifo");
    drop(UnixListener::bind(all.join("socket")).expect("a socket"));
    fs::hard_link(all.join("socket"), all.join("socket-again")).expect("a hard link to a socket");

    // Hard links across directories; the first name in byte order is not the first that a directory
    // lists.
    let shared = file(OsStr::new("shared-m"), &noise(77, 300_000));
    for other in ["shared-a", "shared-z", "dir-7777-x", "deep/shared"] {
        fs::hard_link(&shared, all.join(other)).expect("a hard link");
    }

    let attributes = file(OsStr::new("xattrs"), b"x");
    let binary: Vec<u8> = (0..=255).chain([b'\n', 0, b'=']).collect();
    xattr(&attributes, b"user.binary", &binary);
    xattr(&attributes, b"user.empty", b"");
    xattr(&attributes, b"user.large", &noise(5, 2000));
    xattr(&attributes, b"user.new\nline", b"x\ny\n");
    xattr(&attributes, b"user.with=sign", b"index only");
    xattr(&attributes, b"trusted.overlay.opaque", b"y");
    xattr(&attributes, b"security.selinux", b"system_u:object_r:usr_t:s0\0");
    // cap_net_raw+ep, as setcap writes it.
    xattr(
        &file(OsStr::new("capability"), b"x"),
        b"security.capability",
        &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    xattr(&all.join("link-dot"), b"trusted.on-a-link", b"x");
    xattr(&all.join("null"), b"trusted.on-a-device", b"x");
    xattr(&all.join("dir-7777"), b"user.on-a-directory", b"x");
    xattr(root, b"user.on-the-root", b"x");
    let acl = all.join("acl");
    fs::create_dir(&acl).expect("a directory");
    tool("setfacl", "acl", &[OsStr::new("-m"), OsStr::new("u:1234:rwx,d:g:99:r-x"), acl.as_os_str()])
        .succeeded();
    fs::set_permissions(root, PermissionsExt::from_mode(0o2751)).expect("a mode");
    set_mtime(root, 1_600_000_001, 5);
    all
}

type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

fn xattrs(path: &Path) -> Xattrs {
    let mut names = vec![0; 65536];
    let length = llistxattr(path, names.as_mut_slice()).expect("attributes");
    let names = names[..length].split(|b| *b == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = lgetxattr(path, name, value.as_mut_slice()).expect("an attribute");
            (name.to_vec(), value[..length].to_vec())
        })
        .collect()
}

fn entry_xattrs(entry: &Entry) -> Xattrs {
    entry.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// All names below `dir`, relative to it, without following links.
fn names(dir: &Path, below: &Path, out: &mut Vec<Vec<u8>>) {
    let relative = below.strip_prefix(dir).expect("below");
    out.push(relative.as_os_str().as_bytes().to_vec());
    if below.symlink_metadata().expect("metadata").is_dir() {
        for entry in fs::read_dir(below).expect("a directory") {
            names(dir, &entry.expect("an entry").path(), out);
        }
    }
}

fn all_names(dir: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    names(dir, dir, &mut all);
    all.sort();
    all
}

#[test]
fn the_index_says_what_the_tree_holds() {
    let place = Place::new();
    everything(&place.root());
    let packed = place.packed();
    let mut found: Vec<_> = packed.index.iter().map(|entry| entry.path.as_bytes().to_vec()).collect();
    found.retain(|path| !path.starts_with(b"usr/lib/sysimage"));
    assert_eq!(found, all_names(&place.root()));
    let mut first_names = BTreeMap::new();
    for entry in packed.index.iter().filter(|entry| !entry.path.as_bytes().starts_with(b"usr/lib/sysimage")) {
        let path = place.root().join(OsStr::from_bytes(entry.path.as_bytes()));
        let metadata = path.symlink_metadata().expect("metadata");
        let shown = path.display();
        assert_eq!(entry.mode, metadata.mode() & 0o7777, "{shown}");
        assert_eq!((entry.uid, entry.gid), (metadata.uid(), metadata.gid()), "{shown}");
        assert_eq!(entry_xattrs(&entry), xattrs(&path), "{shown}");
        if metadata.mtime() < EPOCH {
            assert_eq!(
                (entry.mtime.sec, i64::from(entry.mtime.nsec)),
                (metadata.mtime(), metadata.mtime_nsec()),
                "{shown}"
            );
        } else {
            assert_eq!((entry.mtime.sec, entry.mtime.nsec), (EPOCH, 0), "{shown}");
        }
        if entry.kind == Kind::Dir {
            assert!(metadata.is_dir(), "{shown}");
            continue;
        }
        assert_eq!(u64::from(entry.nlink), metadata.nlink(), "{shown}");
        assert_eq!(entry.size, metadata.size(), "{shown}");
        // Names come in byte order: the first of each inode is its entry, the others name it.
        match first_names.get(&metadata.ino()) {
            None => {
                assert_eq!(Some(entry.kind), Kind::from_mode(metadata.mode()), "{shown}");
                first_names.insert(metadata.ino(), entry.path.as_bytes().to_vec());
            }
            Some(first) => {
                assert_eq!(entry.kind, Kind::HardLink, "{shown}");
                assert_eq!(entry.link.as_deref().map(TreePath::as_bytes), Some(first.as_slice()), "{shown}");
                continue;
            }
        }
        match entry.kind {
            Kind::File => {
                let content = File::open(&path).expect("a file");
                assert_eq!(entry.digest, Some(digest_reader(content).expect("content").0), "{shown}");
            }
            Kind::Symlink => {
                let target = fs::read_link(&path).expect("a link");
                assert_eq!(entry.target.as_deref(), Some(target.as_os_str().as_bytes()), "{shown}");
            }
            Kind::CharDev | Kind::BlockDev => assert_eq!(entry.rdev, metadata.rdev(), "{shown}"),
            _ => {}
        }
    }
    assert_eq!(packed.index.len() as u64, packed.bundle.manifest.tiu.files);
    assert_eq!(packed.index.content_size(), packed.bundle.manifest.tiu.size);
}

#[test]
fn the_mounted_image_is_what_the_index_says() {
    let place = Place::new();
    everything(&place.root());
    let packed = place.packed();
    let mounted = packed.mount.path();
    let mut expected: Vec<_> = packed
        .index
        .iter()
        .filter(|entry| !entry.path.as_bytes().starts_with(b"usr/all/socket"))
        .map(|entry| entry.path.as_bytes().to_vec())
        .collect();
    expected.push(INDEX_PATH.as_bytes().to_vec());
    expected.sort();
    assert_eq!(all_names(mounted), expected);
    let mut inodes = BTreeMap::new();
    for entry in packed.index.iter().filter(|entry| !entry.path.as_bytes().starts_with(b"usr/all/socket")) {
        let path = mounted.join(OsStr::from_bytes(entry.path.as_bytes()));
        let metadata = path.symlink_metadata().expect("metadata");
        let shown = path.display();
        assert_eq!((metadata.uid(), metadata.gid()), (entry.uid, entry.gid), "{shown}");
        if metadata.is_symlink() {
            // Linux has no modes for links.
        } else {
            assert_eq!(metadata.mode() & 0o7777, entry.mode, "{shown}");
        }
        // Squashfs has unsigned seconds of 32 bits; the index has the rest.
        assert_eq!(metadata.mtime(), entry.mtime.sec.clamp(0, i64::from(u32::MAX)), "{shown}");
        let mut carried = entry_xattrs(&entry);
        carried.retain(|name, _| !name.starts_with(b"system.") && !name.contains(&b'='));
        assert_eq!(xattrs(&path), carried, "{shown}");
        if entry.kind != Kind::Dir {
            assert_eq!(metadata.nlink(), u64::from(entry.nlink), "{shown}");
        }
        match entry.kind {
            Kind::File => {
                assert_eq!(metadata.size(), entry.size, "{shown}");
                let content = File::open(&path).expect("a file");
                assert_eq!(Some(digest_reader(content).expect("content").0), entry.digest, "{shown}");
            }
            Kind::Symlink => {
                let target = fs::read_link(&path).expect("a link");
                assert_eq!(Some(target.as_os_str().as_bytes()), entry.target.as_deref(), "{shown}");
            }
            Kind::CharDev | Kind::BlockDev => assert_eq!(metadata.rdev(), entry.rdev, "{shown}"),
            Kind::HardLink => {
                let target = entry.link.as_deref().expect("a target").as_bytes();
                assert_eq!(inodes.get(target), Some(&metadata.ino()), "{shown}");
            }
            _ => {}
        }
        if entry.kind != Kind::HardLink {
            assert_eq!(Kind::from_mode(metadata.mode()), Some(entry.kind), "{shown}");
            inodes.insert(entry.path.as_bytes().to_vec(), metadata.ino());
        }
    }
}

#[test]
fn the_tree_is_not_changed() {
    let place = Place::new();
    everything(&place.root());
    let state = || {
        let root = place.root();
        let names = all_names(&root);
        names
            .into_iter()
            .map(|path| {
                let m = root.join(OsStr::from_bytes(&path)).symlink_metadata().expect("metadata");
                (path, m.ino(), m.mode(), m.size(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec()))
            })
            .collect::<Vec<_>>()
    };
    // Access times that would be renewed by any read, if not for O_NOATIME.
    let probe = place.root().join("usr/all/size-4096");
    set_mtime(&probe, 1_500_000_000, 0);
    let before = (state(), probe.metadata().expect("metadata").atime());
    place.pack("bundle.tiu").succeeded();
    assert_eq!((state(), probe.metadata().expect("metadata").atime()), before);
}

#[test]
fn sparse_files_of_more_than_4_gib() {
    let place = Place::new();
    let path = place.root().join("usr/sparse");
    let file = File::create(&path).expect("a file");
    file.set_len((4 << 30) + 5001).expect("a size");
    file.write_all_at(b"begin", 3).expect("data");
    file.write_all_at(&noise(1, 300_000), (2 << 30) - 100_000).expect("data");
    file.write_all_at(b"end", (4 << 30) + 4000).expect("data");
    let hole = File::create(place.root().join("usr/hole")).expect("a file");
    hole.set_len((64 << 20) + 1).expect("a size");
    let packed = place.packed();
    for name in ["usr/sparse", "usr/hole"] {
        let entry = packed.index.entry(packed.index.find(TreePath::literal(name)).expect("an entry"));
        let mounted = File::open(packed.mount.path().join(name)).expect("a file");
        let original = File::open(place.root().join(name)).expect("a file");
        assert_eq!(entry.size, original.metadata().expect("metadata").size());
        // The index's digest skipped the holes; this one reads them.
        assert_eq!(digest_reader(&mounted).expect("content"), (entry.digest.expect("a digest"), entry.size));
        for at in [0, (2 << 30) - 100_010, (2 << 30) + 199_990, (4 << 30) + 3990] {
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for (file, bytes) in [(&mounted, &mut found), (&original, &mut expected)] {
                bytes.resize(30, 1);
                let read = file.read_at(bytes, at).expect("content");
                bytes.truncate(read);
            }
            assert_eq!(found, expected, "{name} at {at}");
        }
    }
    assert!(packed.bundle.layout.image_size < 2_000_000, "{:?}", packed.bundle.layout);
}

#[test]
fn sparse_files_of_many_pieces() {
    let place = Place::new();
    let file = File::create(place.root().join("usr/comb")).expect("a file");
    for i in 0..5000 {
        file.write_all_at(&noise(i, 100), i * 8192).expect("data");
    }
    let packed = place.packed();
    let content =
        |dir: &Path| digest_reader(File::open(dir.join("usr/comb")).expect("a file")).expect("content");
    let entry = packed.index.entry(packed.index.find(TreePath::literal("usr/comb")).expect("an entry"));
    assert_eq!(entry.digest, Some(content(&place.root()).0));
    assert_eq!(content(packed.mount.path()), content(&place.root()));
}

#[test]
fn every_compressor_and_block_size() {
    let place = Place::new();
    for (compressor, more) in [
        ("zstd", "level: 3, block-size: 1048576"),
        ("xz", "level: 0"),
        ("gzip", "level: 1, block-size: 4096"),
        ("lz4", "block-size: 65536"),
    ] {
        place.recipe(&format!("compression: {{compressor: {compressor}, {more}}}\n"));
        let packed = place.packed();
        let original = fs::read(place.root().join("usr/share/partly")).expect("a file");
        let found = fs::read(packed.mount.path().join("usr/share/partly")).expect("a file");
        assert!(found == original, "{compressor}");
    }
}
