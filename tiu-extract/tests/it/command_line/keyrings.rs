//! Keyrings and revocation lists that cannot be used, on the command line.

use super::kit::{Kit, good, tiu_extract};
use std::fs;
use std::path::Path;
use tiu_testing::program::outcome;

#[track_caller]
fn refused(kit: &Kit, keyring: &Path, needles: &[&str]) {
    let bundle = kit.bundle(&good());
    outcome(tiu_extract("info").arg("--keyring").arg(keyring).arg(&bundle)).refused(needles);
}

#[test]
fn missing() {
    refused(&Kit::new(), Path::new("/nowhere/ca.pem"), &["reading /nowhere/ca.pem failed", "No such file"]);
}

#[test]
fn directory_without_certificates() {
    let kit = Kit::new();
    let empty = kit.path("empty");
    fs::create_dir(&empty).unwrap();
    refused(&kit, &empty, &["the keyring has no certificate: looked in", "empty"]);
}

#[test]
fn files_in_a_directory_that_are_not_read_are_named() {
    let kit = Kit::new();
    let bundle = kit.bundle(&good());
    let keyring = kit.path("keyring");
    fs::create_dir(&keyring).unwrap();
    fs::copy(kit.keyring(), keyring.join("ca.pem")).unwrap();
    fs::copy(kit.keyring(), keyring.join("new-ca.cert")).unwrap();
    for command in ["info", "list", "verify"] {
        let shown = outcome(tiu_extract(command).arg("--keyring").arg(&keyring).arg(&bundle)).succeeded();
        let warning = "keyring has 1 files that are not read, because their names do not end in .pem, .crt, .cer, .der, .crl: \
                       new-ca.cert\n";
        assert_eq!(shown.stderr.matches(warning).count(), 1, "{command}: {}", shown.stderr);
    }
    fs::remove_file(keyring.join("ca.pem")).unwrap();
    refused(
        &kit,
        &keyring,
        &["the keyring has no certificate", "keyring has 1 files that are not read", "new-ca.cert"],
    );
}

#[test]
fn something_else() {
    let kit = Kit::new();
    let file = kit.path("notes.pem");
    fs::write(&file, "hello").unwrap();
    refused(&kit, &file, &["notes.pem is neither a certificate nor a revocation list"]);
}

#[test]
fn private_key() {
    let kit = Kit::new();
    let (_, key) = kit.signer.write(&kit.path(""), "signer");
    refused(&kit, &key, &["signer.key.pem: line 1 starts a PRIVATE KEY, expected certificates"]);
}

#[test]
fn damaged_certificate() {
    let kit = Kit::new();
    let text = fs::read_to_string(kit.keyring()).unwrap();
    let file = kit.path("damaged.pem");
    fs::write(&file, text.replace("-----END CERTIFICATE-----", "")).unwrap();
    refused(&kit, &file, &["damaged.pem: the CERTIFICATE at line 1 cannot be read"]);
}

#[test]
fn no_revocation_list_where_one_was_promised() {
    let kit = Kit::new();
    let bundle = kit.bundle(&good());
    let crl = kit.keyring();
    kit.run("info", ["--crl".as_ref(), crl.as_path(), &bundle])
        .refused(&["ca.cert.pem has no revocation list"]);
}
