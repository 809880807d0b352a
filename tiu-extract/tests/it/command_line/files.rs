//! Files that are not bundles, and bundles whose end is damaged.

use super::kit::{Found, Kit, bad_bytes, bad_parts, good, tiu_extract};
use std::ffi::OsStr;
use tiu_testing::program::outcome;
use tiu_testing::tree::noise;

/// The message for a trailer that cannot be one.
const TRAILER: &str = "the last 8 bytes of the file say that the signature is";

#[test]
fn a_good_bundle_is_accepted() {
    let kit = Kit::new();
    let bundle = kit.bundle(&good());
    for command in ["info", "list", "verify"] {
        kit.run(command, [&bundle]).succeeded();
    }
    kit.run("extract", [&bundle, &kit.path("new")]).succeeded();
    assert_eq!(std::fs::read(kit.path("new/a")).unwrap(), super::kit::CONTENT);
}

bad_bytes! {
    empty_file, Found::Opening, ["bundle.tiu: the file is empty"], |bytes| bytes.clear();
    file_of_4_bytes, Found::Opening, ["the file is 4 bytes long, too short for a bundle"], |bytes| bytes.truncate(4);
    file_of_8_bytes, Found::Opening, ["the file is 8 bytes long, too short for a bundle"], |bytes| bytes.truncate(8);
    one_kib_of_random_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| *bytes = noise(2, 1024);
    trailer_cut_by_1_byte, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 1);
    trailer_cut_by_2_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 2);
    trailer_cut_by_3_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 3);
    trailer_cut_by_4_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 4);
    trailer_cut_by_5_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 5);
    trailer_cut_by_6_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 6);
    trailer_cut_by_7_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 7);
    trailer_cut_by_8_bytes, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.truncate(bytes.len() - 8);
    one_byte_after_the_trailer, Found::Opening, [TRAILER, "expected 1 to 65536"], |bytes| bytes.push(0);
    download_of_the_first_half, Found::Opening, [TRAILER, "compare its size"], |bytes| bytes.truncate(bytes.len() / 2);
    cms_length_over_the_file, Found::Opening,
        ["the signature is 101 bytes long, but only 100 are before them"],
        |bytes| *bytes = [&[0; 100][..], &101u64.to_be_bytes()].concat();
}

bad_parts! {
    cms_length_0, Found::Opening, [TRAILER, "is 0 bytes long"], |parts| parts.cms_length = Some(0);
    cms_length_over_64_kib, Found::Opening, [TRAILER, "is 65537 bytes long, expected 1 to 65536"],
        |parts| parts.cms_length = Some(65_537);
    cms_length_of_2_to_the_64, Found::Opening, [TRAILER, "is 18446744073709551615 bytes long"],
        |parts| parts.cms_length = Some(u64::MAX);
}

/// `info` of something that exists and is not a file.
#[track_caller]
fn refused(path: &OsStr, needles: &[&str]) {
    let kit = Kit::new();
    outcome(tiu_extract("info").arg("--keyring").arg(kit.keyring()).arg(path)).refused(needles);
}

#[test]
fn missing_file() {
    refused(
        "/nowhere/bundle.tiu".as_ref(),
        &["the bundle /nowhere/bundle.tiu cannot be opened", "No such file"],
    );
}

#[test]
fn directory() {
    refused("/usr".as_ref(), &["/usr is a directory, expected a bundle file"]);
}

#[test]
fn device() {
    refused("/dev/zero".as_ref(), &["/dev/zero is a character device, expected a bundle file"]);
}

#[test]
fn named_pipe_that_nobody_writes_to() {
    let kit = Kit::new();
    let pipe = kit.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    kit.run("info", [&pipe]).refused(&["pipe is a named pipe, expected a bundle file"]);
}
