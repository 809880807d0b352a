//! Secrets on the command line.

use super::certificates::signer;
use super::{keys_of, unsigned};
use crate::place::{Place, run};
use openssl::symm::Cipher;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_pin_on_the_command_line_is_refused() {
    let place = Place::new();
    place.pack("bundle.tiu").succeeded();
    let mut cert = OsString::from("--cert=");
    cert.push(place.keys().join("signer.cert.pem"));
    let key = OsString::from("--key=pkcs11:token=release;object=signer?pin-value=secret1234");
    let bundle = place.path("bundle.tiu").into();
    let refused =
        run([OsString::from("sign"), cert.clone(), key, bundle]).refused(&["pin-value", "--pin-file"]);
    assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    // Also where the URI is misspelt, or is something else.
    let bundle = || OsString::from(place.path("bundle.tiu"));
    for key in ["pkcs11;token=release?pin-value=secret1234", " pkcs11:token=release?pin-value=secret1234"] {
        let arguments = ["sign".into(), cert.clone(), format!("--key={key}").into(), bundle()];
        let refused = run(arguments).refused(&["pin-value"]);
        assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    }
    let uri = "--cert=pkcs11:object=signer?pin-value=secret1234";
    let refused = run(["sign".into(), uri.into(), "--key=none".into(), bundle()]).refused(&["pin-value"]);
    assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
}

#[test]
fn a_passphrase_in_place_of_a_file_is_refused_and_not_repeated() {
    let (place, root) = unsigned();
    let signer = signer("Signer").issued_by(&root);
    let [cert, key] = keys_of(&place, &signer, "signer");
    let encrypted = place.path("encrypted.pem");
    let pem = signer.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret1234").unwrap();
    fs::write(&encrypted, pem).unwrap();
    let mut option = OsString::from("--key=");
    option.push(&encrypted);
    for (key, secret) in [
        (option, "--passphrase-file=pass:secret1234"),
        ("--key=pkcs11:token=x;object=y".into(), "--pin-file=pass:secret1234"),
    ] {
        let bundle = place.path("unsigned.tiu").into();
        let refused =
            run(["sign".into(), cert.clone(), key, secret.into(), bundle]).refused(&["found a passphrase"]);
        assert!(!refused.stderr.contains("secret1234"), "{}", refused.stderr);
    }
    // A key, and a file with a passphrase, that everybody can read are reported.
    let file = place.path("passphrase");
    fs::write(&file, "secret1234\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let path = place.keys().join("signer.key.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut option = OsString::from("--passphrase-file=");
    option.push(&file);
    let bundle = || OsString::from(place.path("unsigned.tiu"));
    let shown = run(["sign".into(), cert, key, option, bundle()]).succeeded().stderr;
    for path in [&path, &file] {
        let needle = format!("everybody on this machine can read {}: `chmod o-rwx", path.display());
        assert_eq!(shown.matches(&needle).count(), 1, "{shown}");
    }
}
