//! The signer's certificate as hosts will judge it, for programs that make bundles.

use super::keyring::Trust;
use super::strength::is_self_signed;
use super::when::{Purpose, ValidAt};
use crate::names::{asn1_unix_time, subject};
use crate::signature::SignatureError;
use openssl::pkey::Id;
use openssl::x509::{X509, X509Ref};

/// The first certificate of a signer's chain to expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Its subject.
    pub subject: String,
    /// The end of its validity, in seconds since 1970.
    pub not_after: i64,
}

/// Checks that hosts can accept signatures of `certificate`, now, with the help of the certificates
/// `enclosed`.
///
/// `keyring` is what the hosts trust. Without it, hosts are assumed to trust the issuer of the last
/// certificate that is known, and to have the default purpose; everything else is checked as hosts
/// do. Returns the certificate that expires first.
pub fn check_signer(
    certificate: &X509Ref,
    enclosed: &[X509],
    keyring: Option<&Trust>,
) -> Result<Expiry, SignatureError> {
    check_key(certificate)?;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let chain = match keyring {
        Some(keyring) => keyring.chain(certificate, enclosed, Some(now))?,
        None => Trust::from_issuer(certificate, enclosed).chain(certificate, enclosed, Some(now))?,
    };
    let expiries = chain.iter().filter_map(|certificate| {
        Some(Expiry { subject: subject(certificate), not_after: asn1_unix_time(certificate.not_after())? })
    });
    let first = expiries.min_by_key(|expiry| expiry.not_after);
    Ok(first.unwrap_or_else(|| Expiry { subject: subject(certificate), not_after: i64::MAX }))
}

/// Checks that signatures of the certificate's key can be part of a bundle.
pub(crate) fn check_key(certificate: &X509Ref) -> Result<(), SignatureError> {
    let found = match certificate.public_key().map(|key| key.id()) {
        Ok(Id::RSA | Id::RSA_PSS | Id::EC) => return Ok(()),
        Ok(Id::ED25519) => "Ed25519",
        Ok(Id::ED448) => "Ed448",
        Ok(Id::DSA) => "DSA",
        _ => "another algorithm",
    };
    Err(SignatureError::KeyAlgorithm { subject: subject(certificate), found: found.to_owned() })
}

impl Trust {
    /// Returns the trust of a host that accepts the last certificate that is known of the chain.
    fn from_issuer(certificate: &X509Ref, enclosed: &[X509]) -> Trust {
        let mut last = certificate.to_owned();
        // No chain is longer than the certificates that are known.
        for _ in enclosed {
            let issuer = enclosed.iter().find(|issuer| issuer.issued(&last).as_raw() == 0);
            match issuer {
                Some(issuer) if !is_self_signed(&last) => last = issuer.clone(),
                _ => break,
            }
        }
        Trust {
            distrusted: Vec::new(),
            anchors: vec![last],
            crls: Vec::new(),
            skipped: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::Now,
            partial: true,
        }
    }
}
