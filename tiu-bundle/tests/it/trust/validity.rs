//! Validity: periods and the moment that counts.

use super::*;

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
