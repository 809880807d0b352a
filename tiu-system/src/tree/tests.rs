use super::*;
use rustix::fs::XattrFlags;
use std::os::unix::fs::symlink;
use std::path::Path;

fn tree() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
    std::fs::write(dir.path().join("a/b/file"), "content").unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    (dir, tree)
}

#[test]
fn reads_within_limits() {
    let (_dir, tree) = tree();
    assert_eq!(tree.read("a/b/file", 7).unwrap().unwrap(), b"content");
    assert!(tree.read("a/b/file", 6).unwrap_err().to_string().contains("larger than 6 bytes"));
    assert!(tree.read("a/x/file", 7).unwrap().is_none());
    assert!(tree.read("a/b", 7).is_err());
}

#[test]
fn a_symlink_on_the_way_is_not_followed() {
    let (dir, tree) = tree();
    symlink("/etc/passwd", dir.path().join("link")).unwrap();
    symlink("a", dir.path().join("dir")).unwrap();
    for path in ["link", "dir/b/file", "../x"] {
        assert!(tree.read(path, 1 << 20).is_err(), "{path}");
    }
    assert!(tree.stat("dir/b/file").is_none());
    assert!(tree.stat("link").is_some());
    assert_eq!(tree.link("link").unwrap(), b"/etc/passwd");
}

#[test]
fn looking_for_a_program_follows_symlinks_within_the_tree() {
    let (dir, tree) = tree();
    symlink("/a/b", dir.path().join("bin")).unwrap();
    symlink("/../../../a/b/file", dir.path().join("a/up")).unwrap();
    assert!(tree.has("bin/file"));
    assert!(tree.has("a/up"));
    assert!(!tree.has("bin/passwd"));
    let real = dir.path().canonicalize().unwrap();
    assert_eq!(tree.resolve(Path::new("a/up")), real.join("a/b/file"));
    assert_eq!(tree.resolve(Path::new("bin/none")), dir.path().join("bin/none"));
}

#[test]
fn writing_replaces_a_symlink_instead_of_following_it() {
    let (dir, tree) = tree();
    let outside = dir.path().join("outside");
    std::fs::write(&outside, "safe").unwrap();
    symlink(&outside, dir.path().join("a/new")).unwrap();
    tree.write("a/new", &b"written"[..]).unwrap();
    assert_eq!(std::fs::read(&outside).unwrap(), b"safe");
    assert_eq!(tree.read("a/new", 100).unwrap().unwrap(), b"written");
    tree.symlink("a/new", "b/file").unwrap();
    assert_eq!(tree.link("a/new").unwrap(), b"b/file");
    assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 2);
}

#[test]
fn new_content_keeps_mode_owner_and_attributes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (dir, tree) = tree();
    let path = dir.path().join("a/b/file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    rustix::fs::setxattr(&path, "user.label", b"kept", XattrFlags::empty()).unwrap();
    let before = path.metadata().unwrap();
    let (uid, gid) = (before.uid(), before.gid());
    let attributes = Attributes { mode: 0o600, uid, gid, xattrs: vec![(b"user.new".into(), b"1".into())] };
    tree.replace("a/b/file", b"new", &attributes).unwrap();
    let after = path.metadata().unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    let mut value = [0; 9];
    assert_eq!(rustix::fs::getxattr(&path, "user.label", &mut value[..]).unwrap(), 4);
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    tree.replace("a/b/none", b"", &attributes).unwrap();
    assert_eq!(rustix::fs::getxattr(dir.path().join("a/b/none"), "user.new", &mut value[..]).unwrap(), 1);
    assert_eq!(dir.path().join("a/b/none").metadata().unwrap().mode() & 0o7777, 0o600);
    assert!(tree.replace("a/b", b"", &attributes).is_err());
}

#[test]
fn attributes_are_those_of_the_inode_itself() {
    use crate::path::TreePath;
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::fs::write(dir.path().join("d/file"), "").unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("d/link")).unwrap();
    std::os::unix::fs::symlink("d", dir.path().join("way")).unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    let path = TreePath::literal;
    tree.set_attribute(path("d/file"), "trusted.x", b"1").unwrap();
    tree.set_attribute(path("d/link"), "trusted.x", b"2").unwrap();
    tree.set_attribute(path(""), "trusted.x", b"3").unwrap();
    for (at, value) in [("d/file", &b"1"[..]), ("d/link", b"2"), ("", b"3")] {
        assert_eq!(tree.attribute(path(at), "trusted.x").unwrap().as_deref(), Some(value));
    }
    assert_eq!(tree.attribute(path("d"), "trusted.x").unwrap(), None);
    tree.attribute(path("way/file"), "trusted.x").unwrap_err();
    tree.attribute(path("d/none"), "trusted.x").unwrap_err();
}
