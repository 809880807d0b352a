//! Revocation lists.

use super::*;

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
    // A list that disappears while the program runs still counts.
    fs::remove_file(&file).expect("removed");
    assert!(matches!(error(&chain.cms(), &trust), SignatureError::Revoked { .. }));
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
    let old = revocation_list(&chain.intermediate, &[], BEGIN, current_time() - DAY);
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
    let future = revocation_list(&chain.intermediate, &[], current_time() + DAY, END);
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
