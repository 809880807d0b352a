//! The signature: CMS SignedData (RFC 5652) in DER with the manifest inside, signed attributes,
//! exactly one signer.
//!
//! There are three steps in this order: this module parses the structure strictly, OpenSSL verifies
//! the signature with the content and the enclosed certificate, and `trust` verifies this
//! certificate with the trusted ones.

mod cms;
mod error;
mod limits;

pub use error::SignatureError;
pub use limits::MAX_CMS_SIZE;

pub(crate) use cms::weak_certificate_signature;
pub(crate) use error::reason;

use crate::names::{asn1_rfc3339, issuer, rfc3339, subject};
use crate::trust::{self, Trust, ValidAt};
use cms::{SignedData, SignerId};
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::{X509, X509Ref};

/// The signer of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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
    /// The signer.
    pub signer: Signer,
}

/// Signs `content`: encapsulated, SHA-256, signed attributes with the current time as signing time,
/// the signer's certificate and `intermediates` enclosed.
pub fn sign(
    content: &[u8],
    certificate: &X509,
    key: &PKey<Private>,
    intermediates: &[X509],
) -> Result<Vec<u8>, SignatureError> {
    let signing = |e: ErrorStack| SignatureError::Signing { reason: reason(&e) };
    if !certificate.public_key().map_err(signing)?.public_eq(key) {
        return Err(SignatureError::KeyMismatch { subject: subject(certificate) });
    }
    trust::check_key(certificate)?;
    let mut enclosed = Stack::new().map_err(signing)?;
    for intermediate in intermediates {
        enclosed.push(intermediate.clone()).map_err(signing)?;
    }
    // Without `BINARY` line ends would become CR LF.
    let options = CMSOptions::BINARY | CMSOptions::NOSMIMECAP;
    let cms = CmsContentInfo::sign(Some(certificate), Some(key), Some(&enclosed), Some(content), options)
        .and_then(|cms| cms.to_der())
        .map_err(signing)?;
    verify_untrusted(&cms)?;
    Ok(cms)
}

/// Checks `cms` against `trust` and returns the signed content.
pub fn verify(cms: &[u8], trust: &Trust) -> Result<Signed, SignatureError> {
    let checked = check(cms)?;
    let chain = trust.verify_chain(&checked.certificate, &checked.enclosed, checked.signing_time)?;
    Ok(checked.signed(chain))
}

/// Checks `cms` like [`verify`], for something that was accepted in the past. Where only the dates
/// of a certificate have run out since, returns when, with the signed content: the certificate was
/// valid at the signing time. A revoked one is an error.
pub fn verify_at_rest(cms: &[u8], trust: &Trust) -> Result<(Signed, Option<String>), SignatureError> {
    match verify(cms, trust) {
        Ok(signed) => Ok((signed, None)),
        Err(SignatureError::Expired { subject, not_after, at }) => {
            let mut at_signing = trust.clone();
            at_signing.set_valid_at(ValidAt::SigningTime);
            match verify(cms, &at_signing) {
                Ok(signed) => Ok((signed, Some(not_after))),
                // It was never valid, or the signature does not say when it was made.
                Err(
                    SignatureError::Expired { .. }
                    | SignatureError::NotYetValid { .. }
                    | SignatureError::NoSigningTime,
                ) => Err(SignatureError::Expired { subject, not_after, at }),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Checks everything that [`verify`] does except trust: that `cms` is well formed, and signed by
/// the certificate that it encloses.
///
/// To show the signer where no keyring is given, and to take in a CMS that was made elsewhere. The
/// chain in the result is the signer alone.
pub fn verify_untrusted(cms: &[u8]) -> Result<Signed, SignatureError> {
    let checked = check(cms)?;
    let chain = vec![subject(&checked.certificate)];
    Ok(checked.signed(chain))
}

/// A signature with what hosts will say about its signer.
#[derive(Debug)]
pub struct Judged {
    /// The signed content.
    pub signed: Signed,
    /// The certificate that expires first, or why hosts will refuse the signature.
    pub outcome: Result<trust::Expiry, SignatureError>,
}

/// Checks `cms` for those who make bundles: like [`verify_untrusted`], and
/// [`check_signer`](trust::check_signer) of the certificates in it.
pub fn judge(cms: &[u8], keyring: Option<&Trust>) -> Result<Judged, SignatureError> {
    let checked = check(cms)?;
    let outcome = trust::check_signer(&checked.certificate, &checked.enclosed, keyring);
    let chain = vec![subject(&checked.certificate)];
    Ok(Judged { signed: checked.signed(chain), outcome })
}

/// Returns the content of `cms` without any check of the signer, to show it and to sign it again.
/// The structure is checked.
pub fn content_unverified(cms: &[u8]) -> Result<Vec<u8>, SignatureError> {
    Ok(parse(cms)?.content.to_vec())
}

/// A CMS whose signature matches its content and its enclosed certificate.
struct Checked {
    content: Vec<u8>,
    certificate: X509,
    enclosed: Vec<X509>,
    signing_time: Option<i64>,
}

impl Checked {
    fn signed(self, chain: Vec<String>) -> Signed {
        let certificate: &X509Ref = &self.certificate;
        let digest = certificate.digest(MessageDigest::sha256());
        let fingerprint = digest.map(|d| d.iter().map(|b| format!("{b:02x}")).collect()).unwrap_or_default();
        let signer = Signer {
            subject: subject(certificate),
            issuer: issuer(certificate),
            fingerprint,
            not_after: asn1_rfc3339(certificate.not_after()),
            signing_time: self.signing_time.map(rfc3339),
            chain,
        };
        Signed { content: self.content, signer }
    }
}

fn parse(cms: &[u8]) -> Result<SignedData<'_>, SignatureError> {
    match cms.len() as u64 {
        // A bundle that is not signed yet has its bare manifest in place of the CMS.
        1..=MAX_CMS_SIZE if cms.starts_with(b"[") => Err(SignatureError::Unsigned),
        1..=MAX_CMS_SIZE => cms::parse(cms),
        found => Err(SignatureError::Size { found }),
    }
}

fn check(cms: &[u8]) -> Result<Checked, SignatureError> {
    let parsed = parse(cms)?;
    let internal = |e: ErrorStack| SignatureError::Internal { reason: reason(&e) };
    let mut certificate = None;
    let mut enclosed = Vec::new();
    for (number, der) in (1..).zip(&parsed.certificates) {
        let bad = |_| SignatureError::BadCertificate { number };
        let x509 = X509::from_der(der).map_err(bad)?;
        let (issuer, serial) =
            cms::issuer_and_serial(der).map_err(|_| SignatureError::BadCertificate { number })?;
        let is_signer = match parsed.signer {
            SignerId::IssuerAndSerial(i, s) => i == issuer && s == serial,
            SignerId::KeyId(id) => x509.subject_key_id().is_some_and(|found| found.as_slice() == id),
        };
        if is_signer && certificate.is_none() {
            certificate = Some(x509.clone());
        }
        enclosed.push(x509);
    }
    let certificate =
        certificate.ok_or(SignatureError::NoSignerCertificate { enclosed: parsed.certificates.len() })?;

    // Only this certificate may be the signer's: it is the one that is shown and whose chain is
    // verified.
    let mut signers = Stack::new().map_err(internal)?;
    signers.push(certificate.clone()).map_err(internal)?;
    let options = CMSOptions::BINARY | CMSOptions::NOINTERN | CMSOptions::NO_SIGNER_CERT_VERIFY;
    let mut content = Vec::new();
    CmsContentInfo::from_der(cms)
        .and_then(|mut cms| cms.verify(Some(&signers), None, None, Some(&mut content), options))
        .map_err(|_| SignatureError::BadSignature { subject: subject(&certificate) })?;
    // Two readers of one structure must have seen the same.
    if content != parsed.content {
        return Err(SignatureError::BadSignature { subject: subject(&certificate) });
    }
    Ok(Checked { content, certificate, enclosed, signing_time: parsed.signing_time })
}
