//! A tree with one of everything that a filesystem can hold.

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use tiu_testing::program::tool;
use tiu_testing::tree::noise;

fn name(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn xattr(path: &Path, name: &[u8], value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty())
        .unwrap_or_else(|e| panic!("{}: {name:?}: {e}", path.display()));
}

pub(super) fn set_mtime(path: &Path, sec: i64, nsec: i64) {
    let time = Timespec { tv_sec: sec, tv_nsec: nsec as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("a time");
}

/// A tree with one of everything under `usr/all`.
pub(super) fn everything(root: &Path) -> PathBuf {
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
