//! Outputs replace regular files only, and what they replace keeps what it has.

use crate::place::{Place, run};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use tiu_testing::program::RunOutput;

fn sign(place: &Place, bundle: &str) -> RunOutput {
    sign_with(place, bundle, &[])
}

/// Signs `bundle`, with more options.
fn sign_with(place: &Place, bundle: &str, more: &[OsString]) -> RunOutput {
    let mut cert = OsString::from("--cert=");
    cert.push(place.keys().join("signer.cert.pem"));
    let mut key = OsString::from("--key=");
    key.push(place.keys().join("signer.key.pem"));
    let mut arguments = vec![OsString::from("sign"), "--progress=none".into(), cert, key];
    arguments.extend_from_slice(more);
    arguments.push(place.path(bundle).into());
    run(arguments)
}

/// `option=PATH` of a file in the place.
fn option(place: &Place, option: &str, name: &str) -> OsString {
    let mut argument = OsString::from(format!("{option}="));
    argument.push(place.path(name));
    argument
}

/// Asserts that `output` writes to nothing that is not a regular file. It gets the name of the
/// output.
#[track_caller]
fn replaces_regular_files_only(place: &Place, output: impl Fn(&str) -> RunOutput) {
    mknodat(CWD, place.path("node"), FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(1, 3))
        .unwrap();
    mknodat(CWD, place.path("block"), FileType::BlockDevice, Mode::RUSR | Mode::WUSR, makedev(7, 250))
        .unwrap();
    mknodat(CWD, place.path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = UnixListener::bind(place.path("socket")).unwrap();
    fs::create_dir(place.path("directory")).unwrap();
    let special = ["node", "block", "fifo", "socket", "directory"];
    let inodes = || special.map(|name| fs::symlink_metadata(place.path(name)).unwrap().ino());
    let before = inodes();
    for (name, kind) in special.into_iter().zip([
        "is a character device",
        "is a block device",
        "is a named pipe",
        "is a socket",
        "is a directory",
    ]) {
        output(name).refused(&[name, kind, "expected a regular file"]);
        // Also through a link.
        let link = format!("to-{name}");
        symlink(name, place.path(&link)).unwrap();
        output(&link).refused(&[&link, kind, "expected a regular file"]);
    }
    assert_eq!(inodes(), before);
    for (link, target) in [("self", "self"), ("there", "back"), ("back", "there")] {
        symlink(target, place.path(link)).unwrap();
    }
    for link in ["self", "there", "back"] {
        output(link).refused(&[link, "Too many levels of symbolic links"]);
        assert!(fs::symlink_metadata(place.path(link)).unwrap().is_symlink());
    }
    let leftovers = fs::read_dir(place.path("")).unwrap().flatten().map(|entry| entry.file_name());
    let leftovers: Vec<_> = leftovers.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    // A link to nothing is a new name.
    symlink("new", place.path("to-new")).unwrap();
    output("to-new").succeeded();
    assert!(fs::symlink_metadata(place.path("to-new")).unwrap().is_symlink());
    assert!(fs::symlink_metadata(place.path("new")).unwrap().is_file());
}

#[test]
fn pack_replaces_regular_files_only() {
    let place = Place::new();
    replaces_regular_files_only(&place, |name| place.pack(name));
}

#[test]
fn the_output_of_sign_replaces_regular_files_only() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    let before = fs::read(place.path("bundle.tiu")).unwrap();
    replaces_regular_files_only(&place, |name| {
        sign_with(&place, "bundle.tiu", &[option(&place, "--output", name)])
    });
    assert!(fs::read(place.path("bundle.tiu")).unwrap() == before);
    place.open("new");
}

#[test]
fn a_payload_replaces_regular_files_only() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    replaces_regular_files_only(&place, |name| {
        let payload = option(&place, "--write-payload", name);
        run([OsString::from("sign"), "--progress=none".into(), payload, place.path("bundle.tiu").into()])
    });
    let payload = fs::read_to_string(place.path("new")).unwrap();
    assert!(payload.starts_with("[update]\ncompatible=testos\n"), "{payload}");
}

#[test]
fn what_is_signed_in_place_is_a_regular_file() {
    let place = Place::new();
    let _socket = UnixListener::bind(place.path("socket")).unwrap();
    symlink("loop", place.path("loop")).unwrap();
    sign(&place, "socket").refused(&["socket", "is a socket, expected a regular file"]);
    sign(&place, "loop").refused(&["loop", "Too many levels of symbolic links"]);
    sign(&place, "nothing").refused(&["nothing", "No such file"]);
    assert!(!place.path("nothing").exists());
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

#[test]
fn an_output_does_not_replace_what_the_command_reads() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    place.keys();
    let inputs = ["bundle.yaml", "keys/signer.cert.pem", "keys/signer.key.pem", "bundle.tiu"];
    let content = || inputs.map(|name| fs::read(place.path(name)).unwrap());
    let before = content();
    let words = "is what this command reads";
    place.pack("bundle.yaml").refused(&["bundle.yaml", words, "another name"]);
    // Also through a link.
    symlink("keys/signer.key.pem", place.path("link")).unwrap();
    for name in ["keys/signer.cert.pem", "keys/signer.key.pem", "link"] {
        sign_with(&place, "bundle.tiu", &[option(&place, "--output", name)]).refused(&[name, words]);
    }
    let payload =
        ["sign".into(), option(&place, "--write-payload", "bundle.tiu"), place.path("bundle.tiu").into()];
    run(payload).refused(&["bundle.tiu", words]);
    assert_eq!(content(), before);
}
