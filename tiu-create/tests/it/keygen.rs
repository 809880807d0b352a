//! `tiu-create keygen`

use crate::place::{Place, run};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tiu_testing::program::tool;

#[test]
fn keys_are_usable_at_once() {
    let place = Place::new();
    let packed = place.packed();
    assert!(packed.bundle.signer.subject.contains("development"), "{:?}", packed.bundle.signer);
    assert!(packed.bundle.signer.subject.contains("not for production"));
    assert_eq!(packed.bundle.signer.chain.len(), 2);
}

#[test]
fn private_keys_are_private() {
    let place = Place::new();
    let keys = place.keys();
    for (name, mode) in
        [("ca.cert.pem", 0o644), ("ca.key.pem", 0o600), ("signer.cert.pem", 0o644), ("signer.key.pem", 0o600)]
    {
        let found = keys.join(name).metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
}

#[test]
fn openssl_agrees_with_the_chain() {
    let place = Place::new();
    let keys = place.keys();
    let ca = keys.join("ca.cert.pem");
    let signer = keys.join("signer.cert.pem");
    let arguments = ["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile"].map(OsStr::new);
    tool("openssl", "openssl", &[&arguments[..], &[ca.as_os_str(), signer.as_os_str()]].concat()).succeeded();
    let text = ["x509", "-noout", "-text", "-in"].map(OsStr::new);
    let text = tool("openssl", "openssl", &[&text[..], &[signer.as_os_str()]].concat()).succeeded().stdout;
    for expected in ["Code Signing", "E-mail Protection", "prime256v1", "CA:FALSE", "Digital Signature"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn existing_files_are_never_overwritten() {
    let place = Place::new();
    let dir = place.path("taken");
    fs::create_dir(&dir).expect("a directory");
    fs::write(dir.join("signer.key.pem"), "precious").expect("a file");
    run([OsStr::new("keygen"), dir.as_os_str()]).refused(&["signer.key.pem exists", "never overwritten"]);
    assert_eq!(fs::read_dir(&dir).expect("a directory").count(), 1);
    assert_eq!(fs::read_to_string(dir.join("signer.key.pem")).expect("a file"), "precious");
}

#[test]
fn json_names_the_files() {
    let place = Place::new();
    let dir = place.path("json");
    let found = run([OsStr::new("keygen"), OsStr::new("--json"), dir.as_os_str()]).succeeded();
    let found: serde_json::Value = serde_json::from_str(&found.stdout).expect("JSON");
    assert_eq!(found["version"], 1);
    assert_eq!(found["files"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_full_standard_output_does_not_undo_what_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(tiu_testing::program::path("tiu-create"));
    let output = command.arg("keygen").arg(&keys).stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("tiu-create: warning: writing the output: No space left"), "{stderr}");
    assert!(keys.join("ca.cert.pem").exists());
}
