//! Accounts that cannot be merged are found before anything is touched, and the message names the
//! problem.

use super::{ROOT, ROOT_GROUP, owned};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tiu_testing::kit::Kit;
use tiu_testing::tree::file;

/// A host and an image of which one thing is wrong; the update is refused with all of `needles`,
/// and nothing was touched.
#[track_caller]
fn refused(of_host: impl FnOnce(&Path), of_image: impl FnOnce(&Path), needles: &[&str]) {
    let kit = Kit::new();
    let host = kit.host_with(512, of_host);
    let bundle = kit.bundle(1, of_image);
    let before = host.state();
    host.tiu("apply", [&bundle]).refused(needles);
    assert_eq!(host.state(), before);
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).refused(needles);
    assert_eq!(host.state(), before);
}

#[test]
fn a_service_that_is_root_on_the_host() {
    refused(
        |root| {
            file(root, "etc/passwd", format!("{ROOT}web:x:0:0::/:/bin/sh\n"));
            file(root, "etc/group", format!("{ROOT_GROUP}web:x:0:\n"));
        },
        |root| {
            file(root, "etc/passwd", format!("{ROOT}web:x:30:30::/:/bin/false\n"));
            file(root, "etc/group", format!("{ROOT_GROUP}web:x:30:\n"));
            owned(root, "usr/share/web", 30, 30);
        },
        &[
            "users and groups cannot be merged in 2 places",
            "/etc/passwd: \"web\" has number 0 on the host and 30 in the image",
            "/etc/group: \"web\" has number 0 on the host and 30 in the image",
            "give \"web\" a number of its own in the host's /etc/passwd",
        ],
    );
}

#[test]
fn no_free_system_number() {
    refused(
        |root| {
            file(root, "etc/passwd", format!("{ROOT}a:x:998:0::/:/bin/sh\nb:x:999:0::/:/bin/sh\n"));
            file(root, "etc/login.defs", "SYS_UID_MIN 998\nSYS_UID_MAX 999\n");
        },
        |root| file(root, "etc/passwd", format!("{ROOT}c:x:998:0::/:/bin/false\n")),
        &[
            "/etc/passwd: \"c\" of the image needs a number, and all from 998 to 999 are taken",
            "SYS_UID_MIN..SYS_UID_MAX",
        ],
    );
}

#[test]
fn a_symlink_for_passwd_on_the_host() {
    refused(
        |root| symlink("/home/passwd", root.join("etc/passwd")).unwrap(),
        |_| {},
        &["the host's /etc/passwd is a symbolic link, not a regular file"],
    );
}

#[test]
fn a_directory_for_shadow_on_the_host() {
    refused(
        |root| fs::create_dir(root.join("etc/shadow")).unwrap(),
        |_| {},
        &["the host's /etc/shadow is a directory, not a regular file"],
    );
}

#[test]
fn a_symlink_for_shadow_in_the_image() {
    refused(
        |_| {},
        |root| {
            fs::remove_file(root.join("etc/shadow")).unwrap();
            symlink("/home/shadow", root.join("etc/shadow")).unwrap();
        },
        &["the image's /etc/shadow is a symbolic link, not a regular file"],
    );
}

#[test]
fn a_directory_for_subuid_in_the_image() {
    refused(
        |_| {},
        |root| fs::create_dir(root.join("etc/subuid")).unwrap(),
        &["the image's /etc/subuid is a directory, not a regular file"],
    );
}
