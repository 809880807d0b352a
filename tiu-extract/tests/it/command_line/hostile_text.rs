//! Text that a signer chose to steer a terminal or to deceive its reader: in names of certificates
//! and of files, and in an index.

use super::kit::{Kit, good, with_index, zst};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use tiu_bundle::index::Kind;
use tiu_system::text::is_unprintable;
use tiu_testing::bundles::{Parts, entry, file_entry, image, index_of};
use tiu_testing::pki::Certificate;
use tiu_testing::program::RunOutput;
use tiu_testing::tree;

/// Clears the screen, turns the text around, hides a character.
const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\u{200b}c";

#[track_caller]
fn is_harmless(outcome: &RunOutput) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let bad = text.chars().find(|c| *c != '\n' && is_unprintable(*c));
        assert_eq!(bad, None, "{text}");
    }
}

#[test]
fn in_the_name_of_a_signer() {
    let mut kit = Kit::new();
    kit.signer = Certificate::new(HOSTILE).usages(&["codeSigning"]).issued_by(&kit.authority);
    let bundle = kit.bundle(&good());
    let subject = r"CN=a\1B[2J\E2\80\AEb\E2\80\8Bc, O=tiu test";
    for command in ["info", "verify"] {
        let shown = kit.run(command, [&bundle]).succeeded();
        is_harmless(&shown);
        assert!(shown.stdout.contains(subject), "{}", shown.stdout);
    }
    let shown = kit.run("info", ["--json".as_ref(), bundle.as_path()]).succeeded();
    is_harmless(&shown);
    let info: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(info["signer"]["subject"], subject);
    // An error names it too.
    let stranger = Kit::new();
    let refused = stranger.run("info", [&bundle]).refused(&[subject]);
    is_harmless(&refused);
}

#[test]
fn in_the_names_of_files() {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    let name = format!("{HOSTILE}\nx");
    fs::write(root.path().join(OsStr::from_bytes(name.as_bytes())), "content").unwrap();
    tree::file(root.path(), "filling", tree::noise(1, 10_000));
    let bundle = |content: &[u8]| {
        let index = index_of([file_entry(&name, content), entry(HOSTILE, Kind::Dir, 0o755)]);
        kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index))
    };
    let path = bundle(b"content");
    let shown = kit.run("list", [&path]).succeeded();
    is_harmless(&shown);
    assert!(shown.stdout.contains(r"/a\u{1b}[2J\u{202e}b\u{200b}c\nx"), "{}", shown.stdout);
    let shown = kit.run("list", ["--json".as_ref(), path.as_path()]).succeeded();
    is_harmless(&shown);
    let list: Value = serde_json::from_str(&shown.stdout).unwrap();
    let paths: Vec<_> = list["entries"].as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(paths, ["", HOSTILE, &name]);
    let out = kit.path("out");
    is_harmless(&kit.run("extract", [path.as_path(), &out]).succeeded());
    // Errors name it in one line.
    let path = bundle(b"Content");
    let shown = r"a\u{1b}[2J\u{202e}b\u{200b}c\nx";
    is_harmless(&kit.run("verify", [&path]).refused(&[shown, "has the digest"]));
    is_harmless(&kit.run("extract", [path.as_path(), &kit.path("other")]).refused(&[shown]));
}

#[test]
fn in_a_line_of_the_index() {
    let kit = Kit::new();
    let text = format!("/ 0 40755 1 0 0 0 0.0 - - -\n/{HOSTILE} 0 40755 1 0 0 0 0.0 - - -\n");
    let bundle = kit.bundle(&with_index(text.as_bytes()));
    let refused = kit.run("list", [&bundle]).refused(&[r"line 2 of the index (/a\u{1b}[2J\u{202e}b"]);
    is_harmless(&refused);
}

#[test]
fn in_a_manifest() {
    let kit = Kit::new();
    let mut parts = good();
    parts.manifest.description = Some(HOSTILE.into());
    let bundle = kit.bundle(&parts);
    let needle = "description has the character '\\u{1b}', expected no control characters";
    is_harmless(&kit.run("info", [&bundle]).refused(&[needle]));
    parts.manifest.description = Some("kernel gpj.\u{202e}exe".into());
    let bundle = kit.bundle(&parts);
    is_harmless(&kit.run("info", [&bundle]).refused(&["description has the character '\\u{202e}'"]));
}
