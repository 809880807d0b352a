//! Signatures of snapshots, checked long after the image was applied.

use super::*;
use tiu_system::tree::RunningFiles;

/// A keyring of the chain's root that judges certificates now.
fn current(chain: &Chain) -> Trust {
    let mut trust = chain.trust();
    trust.set_valid_at(ValidAt::Now);
    trust
}

/// A chain whose signer's certificate has just expired, and what it signed before.
fn just_expired() -> (Chain, Vec<u8>) {
    let chain = chain(&signer().valid(current_time() - DAY, current_time() + 2));
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
        let list =
            |issuer, revoked: &[&X509]| Some(revocation_list(issuer, revoked, current_time() - 1, end));
        let root = list(&chain.root, &[]);
        let (dir, mut trust) = with_crls(&chain, root, list(&chain.intermediate, revoked));
        trust.set_valid_at(ValidAt::SigningTime);
        (dir, trust)
    };
    let (_dir, trust) = lists(&[], current_time() + DAY);
    verify(&cms, &trust).expect("not revoked");
    let (_dir, trust) = lists(&[&chain.signer.certificate], current_time() + DAY);
    assert!(matches!(error(&cms, &trust), SignatureError::Revoked { .. }));
    let (_dir, trust) = lists(&[], current_time());
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
    let (trust, left_out) =
        Trust::with_image(&RunningFiles, &[&dir.path().join("ours")], &image).expect("a keyring");
    assert!(matches!(&left_out[..], [TrustError::NotACertificate { path }] if path.ends_with("b.pem")));
    for chain in [&ours, &theirs] {
        verify(&chain.cms(), &trust).expect("trusted");
    }
    fs::remove_file(image.join("a.pem")).expect("removed");
    assert!(matches!(Trust::with_image(&RunningFiles, &[], &image), Err(TrustError::Empty { .. })));
}
