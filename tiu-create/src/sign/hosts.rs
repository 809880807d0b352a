//! The hosts that must accept a signature. Problems with the signer's certificate are found when it
//! signs, not when hosts refuse the bundle.

use super::SignError;
use openssl::x509::X509;
use time::OffsetDateTime;
use tiu_bundle::rfc3339;
use tiu_bundle::signature::{Judged, SignatureError, Signed};
use tiu_bundle::trust::{Expiry, Trust, check_signer};

/// Days before the end of a certificate from which on it is reported.
const SOON: i64 = 30;
const DAY: i64 = 86_400;

/// The hosts that are to accept a signature.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Their keyring. Without it, hosts are assumed to trust the issuer of the signer's
    /// certificate, or of the last intermediate one.
    pub keyring: Option<Trust>,
    /// True if a signature that they will refuse is only reported.
    pub allow_unverifiable: bool,
}

/// A fact about a signature that its maker may not expect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerWarning {
    /// Hosts will refuse it.
    #[error("hosts will refuse the signature: {0}")]
    Unverifiable(String),
    /// Hosts will refuse it soon.
    #[error(
        "the certificate of {subject} expires in {days} days, at {not_after}: hosts refuse the bundle from then on"
    )]
    ExpiresSoon {
        /// Subject of the certificate that expires first.
        subject: String,
        /// Whole days that are left.
        days: i64,
        /// The end of its validity, RFC 3339.
        not_after: String,
    },
}

impl Hosts {
    /// Judges a certificate before anything is signed with it.
    pub(super) fn judge(
        &self,
        certificate: &X509,
        enclosed: &[X509],
    ) -> Result<Vec<SignerWarning>, SignError> {
        self.decide(check_signer(certificate, enclosed, self.keyring.as_ref()))
    }

    /// Judges a finished signature.
    pub(crate) fn judge_signature(&self, cms: &[u8]) -> Result<(Signed, Vec<SignerWarning>), SignError> {
        let Judged { signed, outcome } =
            tiu_bundle::signature::judge(cms, self.keyring.as_ref()).map_err(SignError::Cms)?;
        Ok((signed, self.decide(outcome)?))
    }

    fn decide(&self, outcome: Result<Expiry, SignatureError>) -> Result<Vec<SignerWarning>, SignError> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        match outcome {
            Ok(Expiry { not_after, .. }) if not_after.saturating_sub(now) >= SOON * DAY => Ok(Vec::new()),
            Ok(Expiry { subject, not_after }) => {
                let days = not_after.saturating_sub(now) / DAY;
                Ok(vec![SignerWarning::ExpiresSoon { subject, days, not_after: rfc3339(not_after) }])
            }
            // OpenSSL cannot sign with it.
            Err(source @ SignatureError::KeyAlgorithm { .. }) => Err(SignError::Signature(source)),
            Err(source) if self.allow_unverifiable => {
                Ok(vec![SignerWarning::Unverifiable(source.to_string())])
            }
            Err(source) => Err(SignError::Unverifiable(source)),
        }
    }
}
