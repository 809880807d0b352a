//! The signature: CMS SignedData (RFC 5652) in DER with the manifest inside, signed attributes, exactly one signer.

use crate::hint::Hint;
use crate::trust::Trust;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// Longest CMS that is read, in bytes.
pub const MAX_CMS_SIZE: u64 = 64 * 1024;

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Subject of the signing certificate, RFC 4514 like (`CN=..., O=...`).
    pub subject: String,
    /// Issuer of it.
    pub issuer: String,
    /// SHA-256 of the certificate's DER, lower-case hex.
    pub fingerprint: String,
    /// End of its validity, RFC 3339.
    pub not_after: String,
    /// Signing time from the signed attributes, RFC 3339.
    pub signing_time: Option<String>,
    /// Subjects from the signer to the trust anchor.
    pub chain: Vec<String>,
}

/// A manifest of which the signature was verified.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Content: the manifest's bytes.
    pub content: Vec<u8>,
    /// Who signed it.
    pub signer: Signer,
}

/// Why a signature was not made or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Placeholder until signatures are written.
    #[error("{0}")]
    Invalid(String),
}

impl Hint for SignatureError {
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Signs `content`: encapsulated, SHA-256, signed attributes with the signing time, `intermediates` enclosed.
/// `signing_time` (seconds since 1970) is now when `None`.
pub fn sign(
    _content: &[u8],
    _certificate: &X509,
    _key: &PKey<Private>,
    _intermediates: &[X509],
) -> Result<Vec<u8>, SignatureError> {
    todo!()
}

/// Checks `cms` against `trust` and gives back what was signed.
pub fn verify(_cms: &[u8], _trust: &Trust) -> Result<Signed, SignatureError> {
    todo!()
}

/// What `cms` holds without any check of who signed it (for showing and for signing again).
pub fn content_unverified(_cms: &[u8]) -> Result<Vec<u8>, SignatureError> {
    todo!()
}
