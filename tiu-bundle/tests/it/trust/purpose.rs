//! Purposes of certificates and usages of keys.

use super::*;

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
