//! Certificates that must not be trusted, each with one thing wrong, and the error that names it;
//! keyrings that cannot be used.

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

#[test]
fn good() {
    let chain = chain(&signer());
    let signed = verify(&chain.cms(), &chain.trust()).expect("a good chain");
    assert_eq!(signed.signer.chain, [named("Signer"), named("Intermediate"), named("Root")]);
    assert_eq!(signed.signer.issuer, named("Intermediate"));
}

#[test]
fn unknown_ca() {
    let root = Certificate::new("Evil Root").authority().self_signed();
    let direct = signer().issued_by(&root);
    let other = chain(&signer());
    // The issuer is nowhere to be seen,
    let cms = sign(CONTENT, &direct.certificate, &direct.key, &[]).expect("a signature");
    let found = error(&cms, &other.trust());
    assert!(
        matches!(&found, SignatureError::UnknownIssuer { issuer, trusted, .. } if *issuer == named("Evil Root") && *trusted == named("Root")),
        "{found}"
    );
    // or enclosed, which is no reason to trust it,
    let cms = sign(CONTENT, &direct.certificate, &direct.key, &[root.certificate]).expect("a signature");
    let found = error(&cms, &other.trust());
    assert!(
        matches!(&found, SignatureError::UntrustedRoot { root, .. } if *root == named("Evil Root")),
        "{found}"
    );
    // or above an intermediate that is enclosed,
    let evil = chain(&signer());
    let found = error(&evil.cms(), &keyring(&[&direct.certificate]));
    assert!(matches!(&found, SignatureError::UnknownIssuer { .. }), "{found}");
    // or has the same name as one that is trusted, but another key.
    let found = error(&evil.cms(), &other.trust());
    assert!(
        matches!(&found, SignatureError::OtherIssuerKey { subject, issuer } if *subject == named("Intermediate") && *issuer == named("Root")),
        "{found}"
    );
    // Also when that root is enclosed.
    let signer = &evil.signer;
    let enclosed = [evil.intermediate.certificate, evil.root.certificate];
    let cms = sign(CONTENT, &signer.certificate, &signer.key, &enclosed).expect("a signature");
    let found = error(&cms, &other.trust());
    assert!(
        matches!(&found, SignatureError::OtherIssuerKey { subject, .. } if *subject == named("Root")),
        "{found}"
    );
}

#[test]
fn an_authority_that_renewed_its_certificate_with_the_same_key() {
    let old = Certificate::new("Root").authority().self_signed();
    let renewed = Certificate::new("Root").authority().key(&old.key).self_signed();
    let certificate = Certificate::new("Signer").usages(&["codeSigning"]).names_issuer();
    let signer = certificate.issued_by(&renewed);
    for enclosed in [vec![], vec![renewed.certificate.clone()]] {
        let cms = sign(CONTENT, &signer.certificate, &signer.key, &enclosed).expect("a signature");
        let found = error(&cms, &keyring(&[&old.certificate]));
        assert!(matches!(&found, SignatureError::RenewedIssuer { .. }), "{found}");
        assert!(found.hint().is_some_and(|hint| hint.contains("renewed")), "{found}");
        // Both in the keyring: the one that is in use is found.
        let both = keyring(&[&old.certificate, &renewed.certificate]);
        tiu_bundle::signature::verify(&cms, &both).expect("both are trusted");
    }
}

#[test]
fn self_signed_and_unknown() {
    let signer = signer().self_signed();
    let cms = sign(CONTENT, &signer.certificate, &signer.key, &[]).expect("a signature");
    let found = error(&cms, &chain(&self::signer()).trust());
    assert!(
        matches!(&found, SignatureError::UntrustedRoot { root, .. } if *root == named("Signer")),
        "{found}"
    );
}

#[test]
fn missing_intermediate() {
    let chain = chain(&signer());
    let cms = sign(CONTENT, &chain.signer.certificate, &chain.signer.key, &[]).expect("a signature");
    let found = error(&cms, &chain.trust());
    assert!(
        matches!(&found, SignatureError::UnknownIssuer { issuer, .. } if *issuer == named("Intermediate")),
        "{found}"
    );
    assert!(found.hint().is_some_and(|hint| hint.contains("--intermediate")));
    // It may lie in the keyring as well.
    let trust = keyring(&[&chain.root.certificate, &chain.intermediate.certificate]);
    verify(&cms, &trust).expect("a good chain");
}

#[test]
fn keyring_without_the_root() {
    let chain = chain(&signer());
    let found = error(&chain.cms(), &keyring(&[&chain.intermediate.certificate]));
    assert!(
        matches!(&found, SignatureError::UnknownIssuer { issuer, .. } if *issuer == named("Root")),
        "{found}"
    );
}

#[test]
fn expired() {
    let chain = chain(&signer().valid(BEGIN, MOMENT - 1));
    match chain.error() {
        SignatureError::Expired { subject, not_after, at } => {
            assert_eq!(subject, named("Signer"));
            assert_eq!(not_after, "2029-12-31T23:59:59Z");
            assert_eq!(at, "2030-01-01T00:00:00Z");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn expired_authority() {
    let root = Certificate::new("Root").authority().self_signed();
    let intermediate =
        Certificate::new("Intermediate").authority().valid(BEGIN, MOMENT - DAY).issued_by(&root);
    let chain = Chain { signer: signer().issued_by(&intermediate), root, intermediate };
    let found = chain.error();
    assert!(
        matches!(&found, SignatureError::Expired { subject, .. } if *subject == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn not_yet_valid() {
    let chain = chain(&signer().valid(MOMENT + DAY, END));
    match chain.error() {
        SignatureError::NotYetValid { subject, not_before, .. } => {
            assert_eq!(subject, named("Signer"));
            assert_eq!(not_before, "2030-01-02T00:00:00Z");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn valid_at_the_signing_time() {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let chain = chain(&signer().valid(now - DAY, now + DAY));
    let mut trust = chain.trust();
    let cms = chain.cms();
    assert!(matches!(error(&cms, &trust), SignatureError::Expired { .. }));
    trust.set_valid_at(ValidAt::SigningTime);
    verify(&cms, &trust).expect("valid when it was signed");
    trust.set_valid_at(ValidAt::Now);
    verify(&cms, &trust).expect("valid now");
    trust.set_valid_at(ValidAt::Unix(now - 2 * DAY));
    assert!(matches!(error(&cms, &trust), SignatureError::NotYetValid { .. }));
}

#[test]
fn purposes() {
    let usages: [(&[&str], [bool; 4]); 8] = [
        (&[], [true, false, true, true]),
        (&["emailProtection"], [false, false, true, true]),
        (&["codeSigning"], [true, true, false, true]),
        (&["codeSigning", "emailProtection"], [true, true, true, true]),
        (&["serverAuth"], [false, false, false, true]),
        (&["clientAuth", "1.2.3.4"], [false, false, false, true]),
        (&["codeSigning", "serverAuth"], [false, false, false, true]),
        (&["codeSigning", "anyExtendedKeyUsage"], [false, false, false, true]),
    ];
    let purposes = [Purpose::CodeSigningOrNone, Purpose::CodeSigning, Purpose::SmimeSign, Purpose::Any];
    for (usages, expected) in usages {
        let chain = chain(&signer().usages(usages));
        for (purpose, expected) in purposes.into_iter().zip(expected) {
            let mut trust = chain.trust();
            trust.set_purpose(purpose);
            match verify(&chain.cms(), &trust) {
                Ok(_) => assert!(expected, "{usages:?} was accepted with {purpose:?}"),
                Err(SignatureError::WrongPurpose { subject, found, .. }) => {
                    assert!(!expected, "{usages:?} was refused with {purpose:?}");
                    assert_eq!(subject, named("Signer"));
                    let shown =
                        if usages.is_empty() { "no extended key usage".into() } else { usages.join(", ") };
                    assert_eq!(found, shown);
                }
                Err(other) => panic!("{usages:?} with {purpose:?}: {other}"),
            }
        }
    }
}

#[test]
fn purpose_of_the_intermediate() {
    let root = Certificate::new("Root").authority().self_signed();
    let server = Certificate::new("Intermediate").authority().usages(&["serverAuth"]).issued_by(&root);
    let signer = signer().usages(&["codeSigning"]).issued_by(&server);
    let found = Chain { root, intermediate: server, signer }.error();
    assert!(
        matches!(&found, SignatureError::WrongPurpose { subject, .. } if *subject == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn key_must_not_sign() {
    let mut chain = chain(&signer().encipherment_only());
    let found = chain.error();
    assert!(matches!(&found, SignatureError::KeyUsage { subject } if *subject == named("Signer")), "{found}");
    let found = chain.error();
    chain.signer = Certificate::new("Signer").issued_by(&chain.intermediate);
    assert!(verify(&chain.cms(), &chain.trust()).is_ok(), "{found}");
}

#[test]
fn an_authority_must_not_sign_bundles() {
    let mut chain = chain(&signer());
    for authority in [Certificate::new("Signer").authority(), Certificate::new("Signer").signing_authority()]
    {
        chain.signer = authority.issued_by(&chain.intermediate);
        let found = chain.error();
        assert!(
            matches!(&found, SignatureError::SignerIsAuthority { subject } if *subject == named("Signer")),
            "{found}"
        );
        assert!(found.hint().is_some_and(|hint| hint.contains("purpose: any")), "{:?}", found.hint());
        let mut trust = chain.trust();
        trust.set_purpose(Purpose::Any);
        verify(&chain.cms(), &trust).expect("the host accepts any purpose");
    }
    // The trusted one itself is not an exception.
    let root = Certificate::new("Root").signing_authority().self_signed();
    let cms = sign(CONTENT, &root.certificate, &root.key, &[]).expect("a signature");
    assert!(matches!(error(&cms, &keyring(&[&root.certificate])), SignatureError::SignerIsAuthority { .. }));
}

#[test]
fn issuer_is_no_authority() {
    let root = Certificate::new("Root").authority().self_signed();
    let intermediate = Certificate::new("Intermediate").issued_by(&root);
    let chain = Chain { signer: signer().issued_by(&intermediate), root, intermediate };
    let found = chain.error();
    assert!(
        matches!(&found, SignatureError::NotAnIssuer { subject, .. } if *subject == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn chain_too_long_for_its_root() {
    let root = Certificate::new("Root").authority().path_length(0).self_signed();
    let intermediate = Certificate::new("Intermediate").authority().issued_by(&root);
    let chain = Chain { signer: signer().issued_by(&intermediate), root, intermediate };
    let found = chain.error();
    assert!(matches!(&found, SignatureError::NotAnIssuer { .. }), "{found}");
}

#[test]
fn weak_key() {
    let chain = chain(&signer().rsa(1024));
    let found = chain.error();
    assert!(matches!(&found, SignatureError::WeakKey { subject } if *subject == named("Signer")), "{found}");
}

#[test]
fn certificate_signed_with_sha1() {
    let root = Certificate::new("Root").authority().rsa(2048).self_signed();
    let intermediate = Certificate::new("Intermediate").authority().rsa(2048).issued_by(&root);
    let signer = signer().digest(MessageDigest::sha1()).issued_by(&intermediate);
    let found = Chain { root, intermediate, signer }.error();
    assert!(
        matches!(&found, SignatureError::WeakCertificate { subject, .. } if *subject == named("Signer")),
        "{found}"
    );
}

#[test]
fn certificates_signed_with_sha224() {
    let root = Certificate::new("Root").authority().digest(MessageDigest::sha224()).self_signed();
    let weak = Certificate::new("Intermediate").authority().digest(MessageDigest::sha224()).issued_by(&root);
    let good = Certificate::new("Intermediate").authority().issued_by(&root);
    let leaf = |issuer: &Identity, digest| signer().digest(digest).issued_by(issuer);
    for (intermediate, digest, name) in
        [(&good, MessageDigest::sha224(), "Signer"), (&weak, MessageDigest::sha256(), "Intermediate")]
    {
        let signer = leaf(intermediate, digest);
        let chain = Chain { root: root.clone(), intermediate: intermediate.clone(), signer };
        match chain.error() {
            SignatureError::WeakCertificate { subject, found } => {
                assert_eq!((subject, found.as_str()), (named(name), "ECDSA with SHA-224"));
            }
            other => panic!("{other}"),
        }
    }
    // How a trusted certificate is signed says nothing.
    let signer = leaf(&good, MessageDigest::sha256());
    let chain = Chain { root, intermediate: good, signer };
    verify(&chain.cms(), &chain.trust()).expect("a good chain");
}

#[test]
fn a_key_that_not_every_host_can_check() {
    let chain = chain(&signer());
    let edwards = signer().ed25519().issued_by(&chain.intermediate);
    let found = sign(CONTENT, &edwards.certificate, &edwards.key, &[]).expect_err("not to be signed");
    assert_eq!(found.to_string(), "the key of CN=Signer, O=tiu test is for Ed25519, expected RSA or ECDSA");
    assert!(found.hint().is_some_and(|hint| hint.contains("P-256")));
    // As the key of an authority it is as good as another.
    let root = Certificate::new("Root").authority().ed25519().self_signed();
    let direct = signer().issued_by(&root);
    let cms = sign(CONTENT, &direct.certificate, &direct.key, &[]).expect("a signature");
    verify(&cms, &keyring(&[&root.certificate])).expect("a good chain");
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
fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn crl(issuer: &Identity, revoked: &[&X509]) -> Option<X509Crl> {
    Some(revocation_list(issuer, revoked, now() - DAY, now() + DAY))
}

#[test]
fn nobody_revoked() {
    let chain = chain(&signer());
    let (_dir, trust) = with_crls(&chain, crl(&chain.root, &[]), crl(&chain.intermediate, &[]));
    verify(&chain.cms(), &trust).expect("not revoked");
}

#[test]
fn revoked() {
    let chain = chain(&signer());
    let lists = (crl(&chain.root, &[]), crl(&chain.intermediate, &[&chain.signer.certificate]));
    let (_dir, trust) = with_crls(&chain, lists.0, lists.1);
    match error(&chain.cms(), &trust) {
        SignatureError::Revoked { subject, issuer } => {
            assert_eq!((subject, issuer), (named("Signer"), named("Intermediate")));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn revoked_intermediate() {
    let chain = chain(&signer());
    let lists = (crl(&chain.root, &[&chain.intermediate.certificate]), crl(&chain.intermediate, &[]));
    let (_dir, trust) = with_crls(&chain, lists.0, lists.1);
    let found = error(&chain.cms(), &trust);
    assert!(
        matches!(&found, SignatureError::Revoked { subject, .. } if *subject == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn revocation_list_in_the_keyring() {
    let chain = chain(&signer());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = [
        chain.root.certificate.to_pem().expect("PEM"),
        b"some text\n".to_vec(),
        crl(&chain.root, &[]).expect("a list").to_pem().expect("PEM"),
        crl(&chain.intermediate, &[&chain.signer.certificate]).expect("a list").to_pem().expect("PEM"),
    ];
    let file = dir.path().join("keyring");
    fs::write(&file, pem.concat()).expect("a file");
    let mut trust = Trust::from_paths(&[&file]).expect("a keyring");
    trust.set_valid_at(ValidAt::Unix(MOMENT));
    assert!(matches!(error(&chain.cms(), &trust), SignatureError::Revoked { .. }));
    // A list that disappears while the program runs is no reason to go on without it.
    fs::remove_file(&file).expect("removed");
    let found = error(&chain.cms(), &trust);
    assert!(matches!(&found, SignatureError::Trust(TrustError::NotACertificate { .. })), "{found}");
}

#[test]
fn revocation_list_is_missing() {
    let chain = chain(&signer());
    let (_dir, trust) = with_crls(&chain, crl(&chain.root, &[]), None);
    match error(&chain.cms(), &trust) {
        SignatureError::NoCrl { subject, issuer } => {
            assert_eq!((subject, issuer), (named("Signer"), named("Intermediate")));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn revocation_list_is_out_of_date() {
    let chain = chain(&signer());
    let old = revocation_list(&chain.intermediate, &[], BEGIN, now() - DAY);
    let (_dir, trust) = with_crls(&chain, crl(&chain.root, &[]), Some(old));
    let found = error(&chain.cms(), &trust);
    assert!(
        matches!(&found, SignatureError::CrlExpired { issuer, .. } if *issuer == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn revocation_list_from_the_future() {
    let chain = chain(&signer());
    let future = revocation_list(&chain.intermediate, &[], now() + DAY, END);
    let (_dir, trust) = with_crls(&chain, crl(&chain.root, &[]), Some(future));
    let found = error(&chain.cms(), &trust);
    assert!(matches!(&found, SignatureError::CrlNotYetValid { .. }), "{found}");
}

#[test]
fn revocation_list_signed_by_another() {
    let chain = chain(&signer());
    let forged = Identity { key: chain.signer.key.clone(), ..chain.intermediate.clone() };
    let (_dir, trust) = with_crls(&chain, crl(&chain.root, &[]), crl(&forged, &[]));
    let found = error(&chain.cms(), &trust);
    assert!(
        matches!(&found, SignatureError::BadCrl { issuer, .. } if *issuer == named("Intermediate")),
        "{found}"
    );
}

#[test]
fn empty_keyring() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("README"), "no certificate").expect("a file");
    let found = Trust::from_paths(&[dir.path()]).expect_err("empty");
    assert!(matches!(&found, TrustError::Empty { paths } if paths == &[dir.path().to_owned()]), "{found}");
    assert!(found.hint().is_some());
    let found = Trust::from_paths(&[] as &[&Path]).expect_err("empty");
    assert!(matches!(&found, TrustError::Empty { paths } if paths.is_empty()), "{found}");
}

#[test]
fn keyring_is_missing() {
    let found = Trust::from_paths(&["/nonexistent/keyring.pem"]).expect_err("missing");
    assert!(
        matches!(&found, TrustError::Io { path, .. } if path == Path::new("/nonexistent/keyring.pem")),
        "{found}"
    );
}

#[test]
fn keyrings_in_all_forms() {
    let chain = chain(&signer());
    let other = Certificate::new("Other").authority().self_signed();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = &chain.root.certificate;
    fs::write(dir.path().join("a.der"), root.to_der().expect("DER")).expect("a file");
    let both = [other.certificate.to_pem().expect("PEM"), root.to_pem().expect("PEM")].concat();
    fs::write(dir.path().join("both"), both).expect("a file");
    for path in [dir.path().join("a.der"), dir.path().join("both"), dir.path().to_owned()] {
        let mut trust = Trust::from_paths(&[&path]).expect("a keyring");
        trust.set_valid_at(ValidAt::Unix(MOMENT));
        verify(&chain.cms(), &trust).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

#[test]
fn keyrings_that_are_something_else() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("keyring.pem");
    let root = Certificate::new("Root").authority().self_signed();
    let found = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("a file");
        let error = Trust::from_paths(&[&file]).expect_err("no keyring");
        assert!(error.hint().is_some() && error.to_string().contains("keyring.pem"), "{error}");
        error
    };
    assert!(matches!(found(b""), TrustError::NotACertificate { .. }));
    assert!(matches!(found(&[0x30; 500]), TrustError::NotACertificate { .. }));
    let mut der = root.certificate.to_der().expect("DER");
    der.push(0);
    assert!(matches!(found(&der), TrustError::NotACertificate { .. }), "something after the certificate");
    let key = root.key.private_key_to_pem_pkcs8().expect("PEM");
    let pem = root.certificate.to_pem().expect("PEM");
    let both = [pem.as_slice(), &key].concat();
    let line = String::from_utf8_lossy(&pem).lines().count() + 1;
    match found(&both) {
        TrustError::UnexpectedBlock { label, line: found, .. } => {
            assert_eq!((label.as_str(), found), ("PRIVATE KEY", line));
        }
        other => panic!("{other}"),
    }
    let text = String::from_utf8(pem).expect("text");
    let cut = text.replace("-----END CERTIFICATE-----", "");
    assert!(matches!(found(cut.as_bytes()), TrustError::BadBlock { line: 1, .. }));
    let damaged = text.replacen("MII", "MIJ", 1);
    assert!(matches!(found(damaged.as_bytes()), TrustError::BadBlock { line: 1, .. }));
}

#[test]
fn no_revocation_list_where_one_was_promised() {
    let chain = chain(&signer());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let found = chain.trust().add_crls(dir.path()).expect_err("no list");
    assert!(matches!(&found, TrustError::NoCrl { path } if path == dir.path()), "{found}");
    chain.root.write(dir.path(), "root");
    fs::remove_file(dir.path().join("root.key.pem")).expect("removed");
    assert!(matches!(chain.trust().add_crls(dir.path()), Err(TrustError::NoCrl { .. })));
}

/// A keyring of the chain's root that judges certificates now.
fn current(chain: &Chain) -> Trust {
    let mut trust = chain.trust();
    trust.set_valid_at(ValidAt::Now);
    trust
}

/// A chain whose signer's certificate has just expired, and what it signed before.
fn just_expired() -> (Chain, Vec<u8>) {
    let chain = chain(&signer().valid(now() - DAY, now() + 2));
    let cms = chain.cms();
    std::thread::sleep(Duration::from_secs(4));
    (chain, cms)
}

#[test]
fn at_rest_a_certificate_that_expired_after_the_signature_is_said_and_no_error() {
    let (chain, cms) = just_expired();
    let trust = current(&chain);
    assert!(matches!(error(&cms, &trust), SignatureError::Expired { .. }));
    let (signed, since) = verify_at_rest(&cms, &trust).expect("valid when it was signed");
    assert_eq!(signed.content, CONTENT);
    assert_eq!(since, Some(signed.signer.not_after));
    // What was signed after the end, or by somebody else, is an error as ever.
    assert!(matches!(verify_at_rest(&chain.cms(), &trust), Err(SignatureError::Expired { .. })));
    let other = self::chain(&signer());
    assert!(matches!(verify_at_rest(&cms, &current(&other)), Err(SignatureError::OtherIssuerKey { .. })));
    let (_, since) = verify_at_rest(&other.cms(), &current(&other)).expect("valid");
    assert_eq!(since, None);
    // Revocation counts also after the end.
    for revoked in [&[][..], &[&chain.signer.certificate]] {
        let (_dir, mut trust) = with_crls(&chain, crl(&chain.root, &[]), crl(&chain.intermediate, revoked));
        trust.set_valid_at(ValidAt::Now);
        match verify_at_rest(&cms, &trust) {
            Ok((_, since)) => assert!(revoked.is_empty() && since.is_some()),
            Err(found) => {
                assert!(!revoked.is_empty() && matches!(&found, SignatureError::Revoked { .. }), "{found}");
            }
        }
    }
}

#[test]
fn revocation_lists_count_now_where_certificates_count_at_the_signing_time() {
    let (chain, cms) = just_expired();
    // The lists are newer than the signature.
    let lists = |revoked: &[&X509], end| {
        let list = |issuer, revoked: &[&X509]| Some(revocation_list(issuer, revoked, now() - 1, end));
        let root = list(&chain.root, &[]);
        let (dir, mut trust) = with_crls(&chain, root, list(&chain.intermediate, revoked));
        trust.set_valid_at(ValidAt::SigningTime);
        (dir, trust)
    };
    let (_dir, trust) = lists(&[], now() + DAY);
    verify(&cms, &trust).expect("not revoked");
    let (_dir, trust) = lists(&[&chain.signer.certificate], now() + DAY);
    assert!(matches!(error(&cms, &trust), SignatureError::Revoked { .. }));
    let (_dir, trust) = lists(&[], now());
    std::thread::sleep(Duration::from_secs(2));
    assert!(matches!(error(&cms, &trust), SignatureError::CrlExpired { .. }));
    let (_dir, mut trust) = with_crls(&chain, crl(&chain.root, &[]), None);
    trust.set_valid_at(ValidAt::SigningTime);
    assert!(matches!(error(&cms, &trust), SignatureError::NoCrl { .. }));
}

#[test]
fn a_distrusted_certificate_anywhere_in_the_chain_is_refused() {
    let chain = chain(&signer());
    for (bad, name) in
        [(&chain.root, "Root"), (&chain.intermediate, "Intermediate"), (&chain.signer, "Signer")]
    {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("bad.pem"), bad.certificate.to_pem().expect("PEM")).expect("a file");
        let mut trust = chain.trust();
        trust.distrust(dir.path()).expect("a certificate");
        let found = error(&chain.cms(), &trust);
        assert!(
            matches!(&found, SignatureError::Distrusted { subject } if *subject == named(name)),
            "{name}: {found}"
        );
    }
    let mut trust = chain.trust();
    assert!(matches!(trust.distrust(Path::new("/nowhere")), Err(TrustError::Io { .. })));
}

#[test]
fn certificates_of_an_image_add_to_the_keyring_and_damaged_ones_are_left_out() {
    let (ours, theirs) = (chain(&signer()), chain(&signer()));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, content: Vec<u8>| fs::write(dir.path().join(name), content).expect("a file");
    file("ours", ours.root.certificate.to_pem().expect("PEM"));
    fs::create_dir(dir.path().join("image")).expect("a directory");
    file("image/a.pem", theirs.root.certificate.to_pem().expect("PEM"));
    file("image/b.pem", b"damaged".to_vec());
    file("image/c.crl", crl(&theirs.root, &[]).expect("a list").to_pem().expect("PEM"));
    let image = dir.path().join("image");
    let (trust, left_out) = Trust::with_image(&[dir.path().join("ours")], &image).expect("a keyring");
    assert!(matches!(&left_out[..], [TrustError::NotACertificate { path }] if path.ends_with("b.pem")));
    for chain in [&ours, &theirs] {
        verify(&chain.cms(), &trust).expect("trusted");
    }
    let none: [&Path; 0] = [];
    fs::remove_file(image.join("a.pem")).expect("removed");
    assert!(matches!(Trust::with_image(&none, &image), Err(TrustError::Empty { .. })));
}
