//! Outputs replace regular files only, and what they replace keeps what it has.

use crate::place::{Place, run};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};

fn sign(place: &Place, bundle: &str) -> tiu_testing::program::Outcome {
    let mut cert = OsString::from("--cert=");
    cert.push(place.keys().join("signer.cert.pem"));
    let mut key = OsString::from("--key=");
    key.push(place.keys().join("signer.key.pem"));
    run([OsString::from("sign"), "--progress=none".into(), cert, key, place.path(bundle).into()])
}

#[test]
fn a_device_a_fifo_and_a_directory_are_not_replaced() {
    let place = Place::new();
    mknodat(CWD, place.path("node"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3)).unwrap();
    mknodat(CWD, place.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::create_dir(place.path("directory")).unwrap();
    for name in ["node", "fifo", "directory"] {
        place.pack(name).refused(&[name, "expected a regular file"]);
        sign(&place, name).refused(&[name, "expected a regular file"]);
    }
    assert!(fs::symlink_metadata(place.path("node")).unwrap().file_type().is_char_device());
    assert!(fs::symlink_metadata(place.path("fifo")).unwrap().file_type().is_fifo());
    // Also through a link.
    symlink("node", place.path("link")).unwrap();
    place.pack("link").refused(&["expected a regular file"]);
}

#[test]
fn a_bundle_that_is_signed_through_a_link_keeps_link_mode_and_owner() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    let file = place.path("bundle.tiu");
    chown(&file, Some(1234), Some(1234)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    rustix::fs::setxattr(&file, "user.note", b"mine", rustix::fs::XattrFlags::empty()).unwrap();
    symlink("bundle.tiu", place.path("latest.tiu")).unwrap();
    let before = fs::metadata(&file).unwrap().ino();
    sign(&place, "latest.tiu").succeeded();
    assert_eq!(fs::read_link(place.path("latest.tiu")).unwrap().as_os_str(), "bundle.tiu");
    let after = fs::symlink_metadata(&file).unwrap();
    assert!(after.is_file() && after.ino() != before, "the bundle was not replaced");
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (1234, 1234, 0o640));
    let mut note = [0u8; 16];
    let length = rustix::fs::getxattr(&file, "user.note", &mut note[..]).unwrap();
    assert_eq!(&note[..length], b"mine");
}
