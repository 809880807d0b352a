//! Chains from the signer to a trusted authority.

use super::*;

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
