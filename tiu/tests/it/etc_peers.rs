//! Mistakes of other programs that merge `/etc`, each under its name.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, updated};
use tiu_testing::tree::file;

fn set_xattr(path: &Path, value: &str) {
    rustix::fs::setxattr(path, "user.note", value.as_bytes(), rustix::fs::XattrFlags::empty()).unwrap();
}

fn xattr(path: &Path) -> String {
    let mut value = [0u8; 64];
    let len = rustix::fs::getxattr(path, "user.note", &mut value[..]).unwrap_or(0);
    String::from_utf8(value[..len].to_vec()).unwrap()
}

fn conflicts(host: &LoopHost) -> String {
    host.tiu("etc", ["conflicts"]).succeeded().stdout
}

/// OSTree compares content, mode and owner alone.
#[test]
fn ostree_ignores_xattrs() {
    let host = updated(
        |root| {
            file(root, "etc/admin", "default");
            file(root, "etc/image", "default");
        },
        |root| set_xattr(&root.join("etc/admin"), "ada"),
        |root| {
            file(root, "etc/admin", "second");
            set_xattr(&root.join("etc/image"), "image");
        },
    );
    let etc = host.snapshot(3).join("etc");
    assert_eq!(
        (xattr(&etc.join("admin")).as_str(), fs::read_to_string(etc.join("admin")).unwrap()),
        ("ada", "default".into())
    );
    assert_eq!(xattr(&etc.join("image")), "image");
    assert!(conflicts(&host).contains("/etc/admin: both changed it"));
}

/// OSTree takes a directory's mode from the new defaults.
#[test]
fn ostree_loses_a_chmod_of_a_directory() {
    let host = updated(
        |root| file(root, "etc/private/a", "default"),
        |root| fs::set_permissions(root.join("etc/private"), PermissionsExt::from_mode(0o700)).unwrap(),
        |root| {
            file(root, "etc/private/a", "second");
            file(root, "etc/private/b", "second");
        },
    );
    let private = host.snapshot(3).join("etc/private");
    assert_eq!(private.metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_to_string(private.join("a")).unwrap(), "second");
    assert_eq!(fs::read_to_string(private.join("b")).unwrap(), "second");
    assert!(conflicts(&host).contains("No conflicts"));
}

/// OSTree merges at shutdown, when nobody can be told any more.
#[test]
fn ostree_fails_at_shutdown_on_directory_to_file() {
    let kit = Kit::new();
    let mut host = kit.host();
    let both = |root: &Path| {
        file(root, "etc/held/default", "1");
        file(root, "etc/free/default", "1");
    };
    host.tiu("apply", [kit.bundle(1, both)]).succeeded();
    host.reboot();
    host.edit(2, |root| file(root, "etc/held/mine", "ada"));
    let second = kit.bundle(2, |root| {
        file(root, "etc/held", "2");
        file(root, "etc/free", "2");
    });
    let refused = host.tiu("apply", [&second]).refused(&[
        "/etc/held: the image has a regular file there, the host a directory in which /etc/held/mine is the administrator's",
        "move what is the administrator's out of the directory",
    ]);
    assert!(!refused.stderr.contains("/etc/free"));
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
    // As the hint says.
    host.edit(2, |root| fs::rename(root.join("etc/held/mine"), root.join("etc/mine")).unwrap());
    host.tiu("apply", [&second]).succeeded();
    let etc = host.snapshot(3).join("etc");
    for (path, content) in [("held", "2"), ("free", "2"), ("mine", "ada")] {
        assert_eq!(fs::read_to_string(etc.join(path)).unwrap(), content);
    }
}

/// The other way that the hint says.
#[test]
fn what_is_always_the_image_s_replaces_a_directory() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |root| file(root, "etc/held/default", "1"))]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        file(root, "etc/held/mine", "ada");
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        file(root, "etc/tiu/tiu.yaml", config + "etc: {always-image: [/etc/held]}\n");
    });
    host.tiu("apply", [kit.bundle(2, |root| file(root, "etc/held", "2"))]).succeeded();
    assert_eq!(fs::read_to_string(host.snapshot(3).join("etc/held")).unwrap(), "2");
    let report = host.tiu("etc", ["report"]).succeeded().stdout;
    assert!(report.contains("drop      etc/held/mine (always the image's)"), "{report}");
}

/// OSTree opens what lies in a directory through whatever the administrator put in the directory's
/// place.
#[test]
fn ostree_follows_an_absolute_symlink_out_of_the_deployment() {
    let outside = tempfile::tempdir().unwrap();
    file(outside.path(), "changed", "not yours");
    let host = updated(
        |root| file(root, "etc/dir/changed", "default"),
        |root| {
            fs::remove_dir_all(root.join("etc/dir")).unwrap();
            symlink(outside.path(), root.join("etc/dir")).unwrap();
        },
        |root| {
            file(root, "etc/dir/changed", "second");
            file(root, "etc/dir/new", "second");
        },
    );
    assert_eq!(fs::read_to_string(outside.path().join("changed")).unwrap(), "not yours");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read_link(host.snapshot(3).join("etc/dir")).unwrap(), outside.path());
    let conflicts = conflicts(&host);
    assert!(
        conflicts.contains("/etc/dir/changed: both changed it; the host does not have it"),
        "{conflicts}"
    );
    assert!(conflicts.contains("/etc/dir/new: the host has no directory for it"), "{conflicts}");
}

/// rsync, which transactional-update runs at boot, takes a file of equal size and time for the same
/// file.
#[test]
fn transactional_update_overlooks_a_change_of_equal_size_and_time() {
    let host = updated(
        |root| file(root, "etc/level", "level=1\n"),
        |root| {
            let path = root.join("etc/level");
            let time = path.metadata().unwrap().modified().unwrap();
            fs::write(&path, "level=7\n").unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        },
        |root| file(root, "etc/level", "level=2\n"),
    );
    assert_eq!(fs::read_to_string(host.snapshot(3).join("etc/level")).unwrap(), "level=7\n");
    assert!(conflicts(&host).contains("/etc/level: both changed it"));
}
