//! Certificates that must not be trusted.

use super::kit::{Found, Kit, good};
use std::ffi::OsStr;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use tiu_bundle::signature::sign;
use tiu_testing::bundles::Parts;
use tiu_testing::pki::{BEGIN, Certificate, END, Identity, revocation_list};
use tiu_testing::program::tool;

const DAY: i64 = 86_400;

/// A bundle signed by `signer`, with certificates enclosed, is refused.
#[track_caller]
fn refused(kit: &Kit, signer: &Identity, enclosed: &[&Identity], options: &[&OsStr], needles: &[&str]) {
    let parts = good();
    let enclosed: Vec<_> = enclosed.iter().map(|identity| identity.certificate.clone()).collect();
    let text = parts.manifest.to_text();
    let cms = sign(text.as_bytes(), &signer.certificate, &signer.key, &enclosed).unwrap();
    let bundle = kit.bundle(&Parts { cms: Some(cms), ..parts });
    kit.refused_with(&bundle, Found::Opening, needles, options);
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn signer() -> Certificate {
    Certificate::new("Test Signer")
}

#[test]
fn unknown_ca() {
    let kit = Kit::new();
    let evil = Certificate::new("Evil Root").authority().self_signed();
    let needles = [
        "the certificate of CN=Test Signer, O=tiu test was issued by CN=Evil Root, O=tiu test, which is neither in the keyring nor enclosed",
        "the keyring has CN=Test Root, O=tiu test",
        "add it to the keyring",
        "--intermediate",
    ];
    refused(&kit, &signer().issued_by(&evil), &[], &[], &needles);
}

#[test]
fn unknown_ca_that_is_enclosed() {
    let kit = Kit::new();
    let evil = Certificate::new("Evil Root").authority().self_signed();
    let needles = [
        "the chain of certificates ends in CN=Evil Root, O=tiu test, which is not in the keyring",
        "the keyring has CN=Test Root, O=tiu test",
        "do not use the bundle",
    ];
    refused(&kit, &signer().issued_by(&evil), &[&evil], &[], &needles);
}

#[test]
fn unknown_ca_of_the_same_name() {
    let kit = Kit::new();
    let evil = Certificate::new("Test Root").authority().self_signed();
    let needles = [
        "the certificate of CN=Test Signer, O=tiu test was issued by CN=Test Root, O=tiu test",
        "with another key than the one of the certificate with this name in the keyring",
    ];
    refused(&kit, &signer().issued_by(&evil), &[], &[], &needles);
}

#[test]
fn self_signed_signer() {
    let needles =
        ["the chain of certificates ends in CN=Test Signer, O=tiu test, which is not in the keyring"];
    refused(&Kit::new(), &signer().self_signed(), &[], &[], &needles);
}

#[test]
fn missing_intermediate() {
    let kit = Kit::new();
    let intermediate = Certificate::new("Intermediate").authority().issued_by(&kit.authority);
    let signer = signer().issued_by(&intermediate);
    let needles = [
        "was issued by CN=Intermediate, O=tiu test, which is neither in the keyring nor enclosed in the bundle",
        "if it is an intermediate, sign again with `--intermediate`",
    ];
    refused(&kit, &signer, &[], &[], &needles);
}

#[test]
fn missing_upper_intermediate() {
    let kit = Kit::new();
    let upper = Certificate::new("Upper").authority().issued_by(&kit.authority);
    let lower = Certificate::new("Lower").authority().issued_by(&upper);
    let needles = [
        "the certificate of CN=Lower, O=tiu test was issued by CN=Upper, O=tiu test, which is neither",
        "--intermediate",
    ];
    refused(&kit, &signer().issued_by(&lower), &[&lower], &[], &needles);
}

#[test]
fn expired() {
    let kit = Kit::new();
    let signer = signer().valid(BEGIN, BEGIN + DAY).issued_by(&kit.authority);
    let needles =
        ["the certificate of CN=Test Signer, O=tiu test expired at 2020-01-02T00:00:00Z (checked at 20"];
    refused(&kit, &signer, &[], &[], &needles);
}

#[test]
fn not_yet_valid() {
    let kit = Kit::new();
    let signer = signer().valid(END - DAY, END).issued_by(&kit.authority);
    let needles =
        ["the certificate of CN=Test Signer, O=tiu test is not valid before 2099-12-31T00:00:00Z", "clock"];
    refused(&kit, &signer, &[], &[], &needles);
}

/// A revocation list of the kit's root as a file.
fn list(kit: &Kit, issuer: &Identity, revoked: &[&Identity], begin: i64, end: i64) -> std::path::PathBuf {
    let revoked: Vec<_> = revoked.iter().map(|identity| &identity.certificate).collect();
    let path = kit.path("revoked.crl");
    fs::write(&path, revocation_list(issuer, &revoked, begin, end).to_pem().unwrap()).unwrap();
    path
}

#[test]
fn revoked() {
    let kit = Kit::new();
    let signer = signer().issued_by(&kit.authority);
    let crl = list(&kit, &kit.authority, &[&signer], now() - DAY, now() + DAY);
    let needles = ["the certificate of CN=Test Signer, O=tiu test was revoked by CN=Test Root, O=tiu test"];
    refused(&kit, &signer, &[], &["--crl".as_ref(), crl.as_ref()], &needles);
}

#[test]
fn revocation_list_of_somebody_else() {
    let kit = Kit::new();
    let other = Certificate::new("Other Root").authority().self_signed();
    let crl = list(&kit, &other, &[], now() - DAY, now() + DAY);
    let signer = signer().issued_by(&kit.authority);
    let needles =
        ["there is no revocation list of CN=Test Root, O=tiu test, which issued the certificate of"];
    refused(&kit, &signer, &[], &["--crl".as_ref(), crl.as_ref()], &needles);
}

#[test]
fn revocation_list_that_is_out_of_date() {
    let kit = Kit::new();
    let signer = signer().issued_by(&kit.authority);
    let crl = list(&kit, &kit.authority, &[], now() - 2 * DAY, now() - DAY);
    let needles = ["the revocation list of CN=Test Root, O=tiu test has expired", "fetch a current"];
    refused(&kit, &signer, &[], &["--crl".as_ref(), crl.as_ref()], &needles);
}

#[test]
fn not_revoked() {
    let kit = Kit::new();
    let crl = list(&kit, &kit.authority, &[], now() - DAY, now() + DAY);
    kit.run("info", ["--crl".as_ref(), crl.as_path(), &kit.bundle(&good())]).succeeded();
}

/// A certificate of these usages against one value of `--purpose`; `refusal` is what is expected
/// instead, if it is not accepted.
#[track_caller]
fn purpose(usages: &[&str], setting: &str, refusal: Option<&str>) {
    let kit = Kit::new();
    let signer = signer().usages(usages).issued_by(&kit.authority);
    let options = ["--purpose".as_ref(), setting.as_ref()];
    let Some(expected) = refusal else {
        let bundle = good().write(&kit.path("bundle.tiu"), &signer.certificate, &signer.key);
        kit.run("info", ["--purpose".as_ref(), setting.as_ref(), bundle.as_os_str()]).succeeded();
        return;
    };
    let found = if usages.is_empty() { "no extended key usage".to_owned() } else { usages.join(", ") };
    let message =
        format!("the certificate of CN=Test Signer, O=tiu test is made for {found}, expected {expected}");
    refused(&kit, &signer, &[], &options, &[&message]);
}

macro_rules! purposes {
    ($($name:ident: $usages:expr, $setting:literal, $refusal:expr;)*) => {$(
        #[test]
        fn $name() {
            purpose(&$usages, $setting, $refusal);
        }
    )*};
}

const CODE_OR_NONE: Option<&str> = Some("codeSigning, or no extended key usage");
const CODE: Option<&str> = Some("codeSigning");
const SMIME: Option<&str> = Some("emailProtection, or no extended key usage");

purposes! {
    no_usage_where_code_signing_or_none_is_asked_for: [], "codesign-or-none", None;
    no_usage_where_code_signing_is_asked_for: [], "codesign", CODE;
    no_usage_where_smime_signing_is_asked_for: [], "smimesign", None;
    no_usage_where_any_is_asked_for: [], "any", None;
    email_protection_where_code_signing_or_none_is_asked_for: ["emailProtection"], "codesign-or-none", CODE_OR_NONE;
    email_protection_where_code_signing_is_asked_for: ["emailProtection"], "codesign", CODE;
    email_protection_where_smime_signing_is_asked_for: ["emailProtection"], "smimesign", None;
    email_protection_where_any_is_asked_for: ["emailProtection"], "any", None;
    code_signing_where_code_signing_or_none_is_asked_for: ["codeSigning"], "codesign-or-none", None;
    code_signing_where_code_signing_is_asked_for: ["codeSigning"], "codesign", None;
    code_signing_where_smime_signing_is_asked_for: ["codeSigning"], "smimesign", SMIME;
    code_signing_where_any_is_asked_for: ["codeSigning"], "any", None;
    server_auth_where_code_signing_or_none_is_asked_for: ["serverAuth"], "codesign-or-none", CODE_OR_NONE;
    server_auth_where_code_signing_is_asked_for: ["serverAuth"], "codesign", CODE;
    server_auth_where_smime_signing_is_asked_for: ["serverAuth"], "smimesign", SMIME;
    server_auth_where_any_is_asked_for: ["serverAuth"], "any", None;
}

#[test]
fn the_moment_of_validity_is_given_in_each_of_its_forms() {
    let kit = Kit::new();
    let now = now();
    // Valid when the bundle is signed, and not one day ago or after.
    let signer = signer().valid(now - 600, now + 600).issued_by(&kit.authority);
    let parts = good();
    let text = parts.manifest.to_text();
    let cms = sign(text.as_bytes(), &signer.certificate, &signer.key, &[]).unwrap();
    let bundle = kit.bundle(&Parts { cms: Some(cms), ..parts });
    let utc = |time: i64| {
        let form = ["-u".into(), format!("-d@{time}"), "+%Y-%m-%dT%H:%M:%SZ".into()];
        let arguments: Vec<&OsStr> = form.iter().map(AsRef::as_ref).collect();
        tool("date", "coreutils", &arguments).succeeded().stdout.trim().to_owned()
    };
    let verify = |moment: &str| {
        let moment = format!("--valid-at={moment}");
        kit.run("verify", [moment.as_ref(), bundle.as_os_str()])
    };
    for moment in ["now".to_owned(), "signing-time".into(), utc(now), now.to_string()] {
        verify(&moment).succeeded();
    }
    for moment in [utc(now - DAY), (now - DAY).to_string()] {
        verify(&moment).refused(&["is not valid before"]);
    }
    for moment in [utc(now + DAY), (now + DAY).to_string()] {
        verify(&moment).refused(&["expired at"]);
    }
    for moment in
        ["", "yesterday", "2026-01-31", "1.5", "Now", "253402300800", "9223372036854775807", "-62167219201"]
    {
        let outcome = verify(moment);
        assert_eq!(outcome.code, Some(2), "{moment}");
        assert!(outcome.stderr.contains("expected now, signing-time, a time like"), "{}", outcome.stderr);
    }
}
