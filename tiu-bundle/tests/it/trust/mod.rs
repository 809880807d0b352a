//! Certificates that must not be trusted, each with one thing wrong, and the error that names it;
//! keyrings that cannot be used.

mod at_rest;
mod chain;
mod keyrings;
mod purpose;
mod revocation;
mod validity;

use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509Crl};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tiu_bundle::signature::{SignatureError, sign, verify, verify_at_rest};
use tiu_bundle::trust::{Expiry, Purpose, Trust, TrustError, ValidAt, check_signer};
use tiu_system::Hint;
use tiu_testing::pki::{BEGIN, Certificate, END, Identity, revocation_list};

const CONTENT: &[u8] = b"content";
/// 2030-01-01T00:00:00Z.
const MOMENT: i64 = 1_893_456_000;
const DAY: i64 = 86_400;

/// A root, an intermediate and a signer.
struct Chain {
    root: Identity,
    intermediate: Identity,
    signer: Identity,
}

fn chain(signer: &Certificate) -> Chain {
    let root = Certificate::new("Root").authority().self_signed();
    let intermediate = Certificate::new("Intermediate").authority().issued_by(&root);
    Chain { signer: signer.issued_by(&intermediate), root, intermediate }
}

fn signer() -> Certificate {
    Certificate::new("Signer")
}

impl Chain {
    fn cms(&self) -> Vec<u8> {
        let Chain { signer, intermediate, .. } = self;
        sign(CONTENT, &signer.certificate, &signer.key, std::slice::from_ref(&intermediate.certificate))
            .expect("a signature")
    }
    fn trust(&self) -> Trust {
        keyring(&[&self.root.certificate])
    }
    #[track_caller]
    fn error(&self) -> SignatureError {
        error(&self.cms(), &self.trust())
    }
}

/// Checked at a fixed moment, so that the tests do not age.
fn keyring(anchors: &[&X509]) -> Trust {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (i, anchor) in anchors.iter().enumerate() {
        fs::write(dir.path().join(format!("{i}.pem")), anchor.to_pem().expect("PEM")).expect("a file");
    }
    let mut trust = Trust::from_paths(&[dir.path()]).expect("a keyring");
    trust.set_valid_at(ValidAt::Unix(MOMENT));
    trust
}

#[track_caller]
fn error(cms: &[u8], trust: &Trust) -> SignatureError {
    let error = verify(cms, trust).expect_err("not to be trusted");
    assert!(error.hint().is_some_and(|hint| hint.len() > 20), "{error}");
    error
}

fn named(name: &str) -> String {
    format!("CN={name}, O=tiu test")
}

/// The chain's trust with a revocation list of the root and one of the intermediate in one
/// directory.
fn with_crls(chain: &Chain, root: Option<X509Crl>, intermediate: Option<X509Crl>) -> (TempDir, Trust) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // One in PEM and one in DER.
    if let Some(crl) = root {
        fs::write(dir.path().join("root.crl"), crl.to_pem().expect("PEM")).expect("a file");
    }
    if let Some(crl) = intermediate {
        fs::write(dir.path().join("intermediate.crl"), crl.to_der().expect("DER")).expect("a file");
    }
    let mut trust = chain.trust();
    trust.add_crls(dir.path()).expect("revocation lists");
    (dir, trust)
}

/// Revocation lists always count now, whatever the moment for certificates is.
fn current_time() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn crl(issuer: &Identity, revoked: &[&X509]) -> Option<X509Crl> {
    Some(revocation_list(issuer, revoked, current_time() - DAY, current_time() + DAY))
}

#[test]
fn good() {
    let chain = chain(&signer());
    let signed = verify(&chain.cms(), &chain.trust()).expect("a good chain");
    assert_eq!(signed.signer.chain, [named("Signer"), named("Intermediate"), named("Root")]);
    assert_eq!(signed.signer.issuer, named("Intermediate"));
}

#[test]
fn a_signer_is_judged_without_the_hosts_keyring_as_hosts_do() {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let root = Certificate::new("Root").authority().self_signed();
    let between = Certificate::new("Intermediate").authority().issued_by(&root);
    let judge = |signer: &Certificate, enclosed: &[&Identity]| {
        let signer = signer.issued_by(&between);
        let enclosed: Vec<X509> = enclosed.iter().map(|identity| identity.certificate.clone()).collect();
        check_signer(&signer.certificate, &enclosed, None)
    };
    for enclosed in [&[][..], &[&between], &[&root, &between]] {
        let soon = signer().valid(BEGIN, now + 86_400);
        let expiry = judge(&soon, enclosed).expect("a good signer");
        assert_eq!(expiry, Expiry { subject: named("Signer"), not_after: now + 86_400 });
        let bad = [
            (signer().valid(BEGIN, now - 60), "Expired"),
            (signer().valid(now + 3600, END), "NotYetValid"),
            (signer().rsa(1024), "WeakKey"),
            (signer().usages(&["emailProtection"]), "WrongPurpose"),
            (signer().encipherment_only(), "KeyUsage"),
            (signer().signing_authority(), "SignerIsAuthority"),
            (signer().digest(MessageDigest::sha224()), "WeakCertificate"),
            (signer().digest(MessageDigest::sha1()), "WeakCertificate"),
            (signer().ed25519(), "KeyAlgorithm"),
        ];
        for (certificate, expected) in bad {
            let found = judge(&certificate, enclosed).expect_err(expected);
            assert!(format!("{found:?}").starts_with(expected), "{found:?} instead of {expected}");
        }
    }
    // What is wrong with an intermediate counts too,
    for bad in [
        Certificate::new("Intermediate").authority().valid(BEGIN, now - 60),
        Certificate::new("Intermediate").authority().usages(&["serverAuth"]),
        Certificate::new("Intermediate").authority().digest(MessageDigest::sha224()),
        Certificate::new("Intermediate"),
    ] {
        let between = bad.issued_by(&root);
        let signer = signer().usages(&["codeSigning"]).issued_by(&between);
        check_signer(&signer.certificate, &[between.certificate], None).expect_err("a bad intermediate");
    }
    // and with the hosts' keyring all does.
    let signer = signer().issued_by(&between);
    let trust = keyring(&[&root.certificate]);
    let found = check_signer(&signer.certificate, &[], Some(&trust)).expect_err("no intermediate");
    assert!(matches!(found, SignatureError::UnknownIssuer { .. }), "{found}");
    check_signer(&signer.certificate, &[between.certificate], Some(&trust)).expect("a good chain");
}
