//! Certificates that hosts would refuse.

use super::{cms_of, never_signs, pack_as, put_in, sign_as, unsigned};
use crate::place::Place;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use tiu_testing::pki::{BEGIN, Certificate, Identity};
use tiu_testing::program::json;

const DAY: i64 = 86_400;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// For code signing.
pub(super) fn signer(name: &str) -> Certificate {
    Certificate::new(name).usages(&["codeSigning"])
}

#[test]
fn a_certificate_that_is_not_yet_valid_does_not_sign() {
    let (place, root) = unsigned();
    let early = signer("Early").valid(now() + DAY, now() + 400 * DAY).issued_by(&root);
    never_signs(&place, &early, &["the certificate of CN=Early", "is not valid before"]);
}

#[test]
fn an_expired_certificate_does_not_sign() {
    let (place, root) = unsigned();
    let late = signer("Late").valid(now() - 400 * DAY, now() - DAY).issued_by(&root);
    never_signs(&place, &late, &["the certificate of CN=Late", "expired at"]);
}

#[test]
fn a_certification_authority_does_not_sign() {
    let (place, root) = unsigned();
    let between = Certificate::new("Between").signing_authority().issued_by(&root);
    let needle = "is that of a certification authority, which must not sign bundles";
    never_signs(&place, &between, &["CN=Between", needle]);
    let own = Certificate::new("Own").signing_authority().self_signed();
    never_signs(&place, &own, &["CN=Own", needle]);
}

#[test]
fn certificates_signed_with_weak_digests_do_not_sign() {
    let (place, root) = unsigned();
    for (digest, name) in [
        (MessageDigest::sha1(), "ECDSA with SHA-1"),
        (MessageDigest::from_nid(Nid::SHA224).unwrap(), "ECDSA with SHA-224"),
    ] {
        let weak = signer("Weak").digest(digest).issued_by(&root);
        let needle =
            format!("the certificate of CN=Weak, O=tiu test is signed with {name}, expected SHA-256");
        never_signs(&place, &weak, &[&needle]);
    }
}

#[test]
fn a_certificate_with_few_days_left_signs_with_a_warning() {
    let (place, root) = unsigned();
    // An hour more, so that the test can take some time.
    let days = |days: i64| signer("Short").valid(BEGIN, now() + days * DAY + 3600).issued_by(&root);
    let needle = "the certificate of CN=Short, O=tiu test expires in 29 days";
    let shown = pack_as(&place, &days(29), "short", &[]).succeeded();
    assert!(shown.stderr.contains(needle), "{}", shown.stderr);
    let made = json(&sign_as(&place, &days(29), "short", "out.tiu", &["--json"]).succeeded());
    assert!(made["signer_warnings"][0].as_str().unwrap().contains(needle), "{made}");
    let shown = put_in(&place, &cms_of(&place, &days(29)), &[]).succeeded();
    assert!(shown.stderr.contains(needle), "{}", shown.stderr);
    let shown = sign_as(&place, &days(31), "short", "out.tiu", &[]).succeeded();
    assert!(!shown.stderr.contains("expires in"), "{}", shown.stderr);
}

#[test]
fn a_keyring_of_hosts_decides_who_can_sign() {
    let (place, root) = unsigned();
    let stranger = Certificate::new("Stranger").authority().self_signed();
    root.write(&place.path(""), "root");
    stranger.write(&place.path(""), "stranger");
    let keyring = |name: &str| format!("--keyring={}", place.path(&format!("{name}.cert.pem")).display());
    let (ours, theirs) = (keyring("root"), keyring("stranger"));
    let signer = signer("Signer").issued_by(&root);
    let needles = ["hosts would refuse", "CN=Root", "the keyring has CN=Stranger", "--allow-unverifiable"];
    pack_as(&place, &signer, "signer", &[&theirs]).refused(&needles);
    sign_as(&place, &signer, "signer", "unsigned.tiu", &[&theirs]).refused(&needles);
    let cms = cms_of(&place, &signer);
    put_in(&place, &cms, &[&theirs]).refused(&needles);
    pack_as(&place, &signer, "signer", &[&ours]).succeeded();
    pack_as(&place, &signer, "signer", &[&theirs, &ours]).succeeded();
    put_in(&place, &cms, &[&ours]).succeeded();
    // A directory, of which a file is not read.
    let directory = place.path("keyring");
    fs::create_dir(&directory).unwrap();
    fs::copy(place.path("root.cert.pem"), directory.join("root.pem")).unwrap();
    fs::write(directory.join("NOTES"), "").unwrap();
    let shown =
        sign_as(&place, &signer, "signer", "out.tiu", &[&format!("--keyring={}", directory.display())]);
    let shown = shown.succeeded().stderr;
    assert_eq!(shown.matches("keyring has 1 files that are not read").count(), 1, "{shown}");
    assert!(shown.contains(": NOTES"), "{shown}");
}

#[test]
fn certificates_that_hosts_refuse_do_not_sign() {
    let place = Place::new();
    let root = Certificate::new("Root").authority().self_signed();
    let signer = |name: &str| Certificate::new(name).usages(&["codeSigning"]);
    let weak = signer("Weak").rsa(1024).issued_by(&root);
    pack_as(&place, &weak, "weak", &[]).refused(&["hosts", "too weak: expected at least RSA with 2048 bits"]);
    let mail = Certificate::new("Mail").usages(&["emailProtection"]).issued_by(&root);
    pack_as(&place, &mail, "mail", &[]).refused(&["hosts", "emailProtection"]);
    let ed25519 = signer("Ed").ed25519().issued_by(&root);
    pack_as(&place, &ed25519, "ed", &[]).refused(&["Ed25519"]);
    assert!(!place.path("out.tiu").exists());
    // For who knows better.
    let made = json(&pack_as(&place, &mail, "mail", &["--allow-unverifiable", "--json"]).succeeded());
    assert!(made["signer_warnings"][0].as_str().unwrap().contains("hosts will refuse"), "{made}");
}

#[test]
fn a_key_of_another_certificate_does_not_sign() {
    let place = Place::new();
    let root = Certificate::new("Root").authority().self_signed();
    let [first, second] =
        ["One", "Two"].map(|name| Certificate::new(name).usages(&["codeSigning"]).issued_by(&root));
    let mixed = Identity { certificate: first.certificate, key: second.key };
    pack_as(&place, &mixed, "mixed", &[]).refused(&["key"]);
}
