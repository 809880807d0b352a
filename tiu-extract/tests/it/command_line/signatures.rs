//! Signatures that must not be accepted, regardless of the trusted certificates.

use super::kit::{Found, Kit, bad_bytes, bad_parts, good};
use tiu_testing::bundles::Parts;
use tiu_testing::pki::{Certificate, Identity, openssl_cms};
use tiu_testing::tree::noise;

/// A bundle whose CMS `openssl cms -sign` makes with these options is refused.
#[track_caller]
fn refused(options: &[&str], needles: &[&str]) {
    let kit = Kit::new();
    refused_of(&kit, &[&kit.signer], options, needles);
}

#[track_caller]
fn refused_of(kit: &Kit, signers: &[&Identity], options: &[&str], needles: &[&str]) {
    let parts = good();
    let cms = openssl_cms(parts.manifest.to_text().as_bytes(), signers, options);
    kit.refused(&kit.bundle(&Parts { cms: Some(cms), ..parts }), Found::Opening, needles);
}

#[test]
fn made_by_openssl_as_documented() {
    let kit = Kit::new();
    let parts = good();
    let cms = openssl_cms(parts.manifest.to_text().as_bytes(), &[&kit.signer], &["-nodetach"]);
    kit.run("verify", [kit.bundle(&Parts { cms: Some(cms), ..parts })]).succeeded();
}

bad_parts! {
    garbage_cms, Found::Opening, ["the signature is not a CMS in DER: expected", "at byte 0"],
        |parts| parts.cms = Some(noise(3, 900));
    cms_that_is_cut, Found::Opening, ["the signature is not a CMS in DER"],
        |parts| parts.cms = Some(vec![0x30, 0x82, 0x04, 0x00, 6, 9, 0x2a]);
    not_signed_data, Found::Opening,
        ["the CMS holds the content type 1.2.840.113549.1.7.1, expected signed data (1.2.840.113549.1.7.2)"],
        |parts| {
            let oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
            parts.cms = Some([&[0x30, 0x11], &oid[..], &[0xa0, 4, 4, 2, b'h', b'i']].concat());
        };
    not_signed_yet, Found::Opening, ["the bundle is not signed yet", "tiu-create sign"],
        |parts| parts.cms = Some(parts.manifest.to_text().into_bytes());
    signed_text_is_no_manifest, Found::Opening, ["line 1 of the manifest is \"hello\""],
        |parts| parts.text = Some("hello".into());
}

bad_bytes! {
    manifest_changed_after_it_was_signed, Found::Opening,
        ["the signature of CN=Test Signer, O=tiu test does not match the manifest: one of them was changed"],
        |bytes| {
            let at = bytes.windows(17).rposition(|window| window == b"compatible=testos").unwrap();
            bytes[at + 16] = b'z';
        };
}

#[test]
fn detached_cms() {
    refused(&[], &["the signature is detached: the manifest is not inside", "-nodetach"]);
}

#[test]
fn signed_content_of_another_type() {
    let options = ["-nodetach", "-econtent_type", "1.2.3.4"];
    refused(&options, &["the signed content has the type 1.2.3.4, expected data (1.2.840.113549.1.7.1)"]);
}

#[test]
fn no_certificate_inside() {
    refused(&["-nodetach", "-nocerts"], &["the signature encloses no certificate", "-nocerts"]);
}

#[test]
fn no_signed_attributes() {
    refused(&["-nodetach", "-noattr"], &["the signature has no signed attributes", "-noattr"]);
}

#[test]
fn md5_digest() {
    let kit = Kit::new();
    // OpenSSL does not sign MD5 with a key on a curve.
    let signer = Certificate::new("Test Signer").rsa(2048).issued_by(&kit.authority);
    let needles = ["the signature uses MD5, expected SHA-256 or stronger", "sha256"];
    refused_of(&kit, &[&signer], &["-nodetach", "-md", "md5"], &needles);
}

#[test]
fn sha1_digest() {
    refused(&["-nodetach", "-md", "sha1"], &["the signature uses SHA-1, expected SHA-256 or stronger"]);
}

#[test]
fn two_signers() {
    let kit = Kit::new();
    let second = Certificate::new("Second").usages(&["codeSigning"]).issued_by(&kit.authority);
    let needles = ["the signature has 2 signers, expected exactly one"];
    refused_of(&kit, &[&kit.signer, &second], &["-nodetach"], &needles);
}

#[test]
fn bytes_after_the_cms() {
    let kit = Kit::new();
    let parts = good();
    let mut cms = openssl_cms(parts.manifest.to_text().as_bytes(), &[&kit.signer], &["-nodetach"]);
    cms.push(0);
    let parts = Parts { cms: Some(cms), ..parts };
    kit.refused(&kit.bundle(&parts), Found::Opening, &["1 bytes follow the end of the signature"]);
}
