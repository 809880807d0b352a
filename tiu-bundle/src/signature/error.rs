//! The errors of signatures.

use super::limits::MAX_CMS_SIZE;
use crate::trust::TrustError;
use openssl::error::ErrorStack;
use tiu_system::hints;

/// A signature that cannot be made, or is not accepted. Certificates are named by their subject;
/// times are RFC 3339.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum SignatureError {
    /// Too much data for a signed manifest.
    #[error("the signature is {found} bytes long, expected 1 to {MAX_CMS_SIZE}")]
    Size { found: u64 },
    /// The bare manifest is where the signature goes: the bundle was packed for a signer elsewhere.
    #[error("the bundle is not signed yet")]
    Unsigned,
    /// Not a CMS structure in DER.
    #[error("the signature is not a CMS in DER: expected {expected} at byte {offset}")]
    NotCms {
        /// Offset in the CMS.
        offset: usize,
        /// The expected element.
        expected: &'static str,
    },
    /// Something follows the CMS.
    #[error("{count} bytes follow the end of the signature")]
    TrailingBytes { count: usize },
    /// Another kind of CMS, for example encrypted data.
    #[error("the CMS holds the content type {found}, expected signed data (1.2.840.113549.1.7.2)")]
    NotSignedData { found: String },
    /// The signed content has another type than plain data.
    #[error("the signed content has the type {found}, expected data (1.2.840.113549.1.7.1)")]
    ContentType { found: String },
    /// The manifest is not inside.
    #[error("the signature is detached: the manifest is not inside")]
    Detached,
    /// Not exactly one signer.
    #[error("the signature has {found} signers, expected exactly one")]
    SignerCount { found: usize },
    /// The signature covers the bare content, or the content type is missing in its attributes.
    #[error("the signature has no signed attributes")]
    NoSignedAttributes,
    /// Two signing times, or one that is not a time.
    #[error("the signing time in the signed attributes is not a single valid time")]
    BadSigningTime,
    /// Checking at the signing time was asked for, but there is none.
    #[error("the signature has no signing time, but certificates are to be checked at that time")]
    NoSigningTime,
    /// A digest that can be forged.
    #[error("the signature uses {found}, expected SHA-256 or stronger")]
    WeakDigest {
        /// Name or object identifier.
        found: String,
    },
    /// A signature algorithm that not every host can check.
    #[error("the signature is made with {found}, expected RSA or ECDSA")]
    Algorithm {
        /// Name of the algorithm.
        found: String,
    },
    /// A key that not every host can check signatures of.
    #[error("the key of {subject} is for {found}, expected RSA or ECDSA")]
    KeyAlgorithm {
        subject: String,
        /// Name of the algorithm.
        found: String,
    },
    /// No certificate enclosed.
    #[error("the signature encloses no certificate")]
    NoCertificate,
    /// A certificate enclosed that cannot be read.
    #[error("certificate {number} in the signature cannot be read")]
    BadCertificate { number: usize },
    /// The signer's certificate is not among those enclosed.
    #[error("the signature encloses {enclosed} certificates, but not the signer's")]
    NoSignerCertificate {
        /// The number of enclosed certificates.
        enclosed: usize,
    },
    /// The signature was not made over this manifest with the key of this certificate.
    #[error("the signature of {subject} does not match the manifest: one of them was changed")]
    BadSignature {
        /// The signer according to the signature.
        subject: String,
    },
    /// The certificate's issuer is unknown.
    #[error(
        "the certificate of {subject} was issued by {issuer}, which is neither in the keyring nor enclosed in the bundle; the keyring has {trusted}"
    )]
    UnknownIssuer {
        subject: String,
        /// The issuer: an unknown root or a missing intermediate, which cannot be distinguished
        /// without it.
        issuer: String,
        /// The names in the keyring.
        trusted: String,
    },
    /// The chain ends in a root that is not trusted.
    #[error(
        "the chain of certificates ends in {root}, which is not in the keyring; the keyring has {trusted}"
    )]
    UntrustedRoot {
        /// The self-signed certificate at its end.
        root: String,
        /// The names in the keyring.
        trusted: String,
    },
    /// The keyring has a certificate with the issuer's name, but it is not the issuer's.
    #[error(
        "the certificate of {subject} was issued by {issuer} with another key than the one of the \
         certificate with this name in the keyring"
    )]
    OtherIssuerKey { subject: String, issuer: String },
    /// The keyring has the issuer's key, but in another certificate.
    #[error(
        "the certificate of {subject} was issued by {issuer} with the key that the keyring has, but under another certificate of this authority"
    )]
    RenewedIssuer { subject: String, issuer: String },
    /// Expired.
    #[error("the certificate of {subject} expired at {not_after} (checked at {at})")]
    Expired { subject: String, not_after: String, at: String },
    /// Not yet valid.
    #[error("the certificate of {subject} is not valid before {not_before} (checked at {at})")]
    NotYetValid { subject: String, not_before: String, at: String },
    /// Revoked.
    #[error("the certificate of {subject} was revoked by {issuer}")]
    Revoked { subject: String, issuer: String },
    /// The host distrusts it.
    #[error("the certificate of {subject} is distrusted on this host")]
    Distrusted { subject: String },
    /// Revocation lists are configured, but this issuer's is missing.
    #[error("there is no revocation list of {issuer}, which issued the certificate of {subject}")]
    NoCrl { subject: String, issuer: String },
    /// A revocation list is out of date.
    #[error("the revocation list of {issuer} has expired (checked at {at})")]
    CrlExpired { issuer: String, at: String },
    /// A revocation list from the future.
    #[error("the revocation list of {issuer} is not yet valid (checked at {at})")]
    CrlNotYetValid { issuer: String, at: String },
    /// A revocation list that its issuer did not sign, or that has extensions we do not know.
    #[error("the revocation list of {issuer} cannot be used: {reason}")]
    BadCrl { issuer: String, reason: &'static str },
    /// Extended key usages do not fit.
    #[error("the certificate of {subject} is made for {found}, expected {expected}")]
    WrongPurpose {
        subject: String,
        /// Its extended key usages.
        found: String,
        /// The purpose that the configuration asks for.
        expected: &'static str,
    },
    /// The key must not sign data.
    #[error(
        "the certificate of {subject} does not allow its key to sign data (key usage without digitalSignature)"
    )]
    KeyUsage { subject: String },
    /// The signer's certificate is that of a certification authority.
    #[error("the certificate of {subject} is that of a certification authority, which must not sign bundles")]
    SignerIsAuthority { subject: String },
    /// An issuer that is not a certification authority, or not one for chains as long as this.
    #[error("the certificate of {subject} must not issue such certificates: {reason}")]
    NotAnIssuer { subject: String, reason: &'static str },
    /// A key that is too short.
    #[error("the key of {subject} is too weak: expected at least RSA with 2048 bits or a curve of 224 bits")]
    WeakKey { subject: String },
    /// A certificate signed with a digest that can be forged.
    #[error("the certificate of {subject} is signed with {found}, expected SHA-256 or stronger")]
    WeakCertificate {
        subject: String,
        /// Name of the algorithm.
        found: String,
    },
    /// A certificate that its issuer did not sign.
    #[error("the certificate of {subject} was not signed by {issuer}")]
    ForgedCertificate {
        subject: String,
        /// The issuer according to the certificate.
        issuer: String,
    },
    /// Something rare about the chain.
    #[error("the certificate of {subject} cannot be verified: {reason} (OpenSSL's code {code})")]
    Chain {
        subject: String,
        /// In OpenSSL's words.
        reason: String,
        /// `X509_V_ERR_...` of openssl/x509_vfy.h.
        code: i32,
    },
    /// The keyring can no longer be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Signing: the key is not the certificate's.
    #[error("the private key does not belong to the certificate of {subject}")]
    KeyMismatch { subject: String },
    /// Signing failed.
    #[error("signing failed: {reason}")]
    Signing {
        /// In OpenSSL's words.
        reason: String,
    },
    /// OpenSSL has no memory, or the like.
    #[error("checking the signature failed: {reason}")]
    Internal {
        /// In OpenSSL's words.
        reason: String,
    },
}

hints! { SignatureError {
    forward Trust;
    Size { .. } | NotCms { .. } | TrailingBytes { .. } | NotSignedData { .. } | ContentType { .. } =>
        "the file is damaged or not a bundle: fetch it again, or sign it again with `tiu-create sign`",
    Unsigned => "sign it with `tiu-create sign`",
    Detached =>
        "sign with the content inside (`openssl cms -sign -nodetach -binary`), or with `tiu-create sign`",
    SignerCount { .. } => "sign again with one key; replace an earlier signature instead of adding to it",
    NoSignedAttributes | BadSigningTime => "sign without `-noattr`, or with `tiu-create sign`",
    NoSigningTime => "sign with a signing time, or let certificates be checked at the current time",
    WeakDigest { .. } => "sign again with SHA-256 (`openssl cms -sign -md sha256`)",
    NoCertificate | BadCertificate { .. } | NoSignerCertificate { .. } =>
        "sign without `-nocerts`: the signer's certificate must be enclosed",
    BadSignature { .. } =>
        "the bundle was changed after it was signed: fetch it again, and do not use it if the error remains",
    UnknownIssuer { .. } =>
        "if the issuer is a root that you trust, add it to the keyring; if it is an intermediate, sign again with `--intermediate`; \
         otherwise do not use the bundle",
    OtherIssuerKey { .. } =>
        "if the authority has a new certificate, get it from the authority itself and add it to the keyring; otherwise do not use the bundle",
    RenewedIssuer { .. } =>
        "the authority has renewed its certificate: get the one that is in use from the authority itself and add it to \
         the keyring; the old one can stay there",
    UntrustedRoot { .. } =>
        "add the certificate of this authority to the keyring if you trust it; otherwise do not use the bundle",
    Expired { .. } => "sign the bundle again with a valid certificate; check this host's clock",
    NotYetValid { .. } | CrlNotYetValid { .. } => "check this host's clock",
    Revoked { .. } =>
        "do not use this bundle: its signer is no longer trusted; ask for one with another signature",
    Distrusted { .. } => "do not use this bundle; `distrust` in tiu.yaml lists the certificates that are \
                          refused",
    NoCrl { .. } => "add the revocation list of this issuer: when any is configured, every issuer needs one",
    CrlExpired { .. } => "fetch a current revocation list; check this host's clock",
    BadCrl { .. } => "fetch the revocation list again from its issuer",
    Algorithm { .. } | KeyAlgorithm { .. } =>
        "sign with an RSA key of at least 2048 bits or an EC key (P-256, for example): OpenSSL 3.0, which \
         hosts and RAUC may have, cannot check others",
    SignerIsAuthority { .. } =>
        "let the authority issue a certificate for the signer, and sign with that one; `purpose: any` on a host \
         accepts an authority",
    WrongPurpose { .. } | KeyUsage { .. } =>
        "sign with a certificate for code signing, or set the expected purpose in the configuration",
    NotAnIssuer { .. } | WeakKey { .. } | WeakCertificate { .. } | ForgedCertificate { .. } | Chain { .. } =>
        "sign with another certificate; `openssl verify -verbose` shows more about the chain",
    KeyMismatch { .. } => "give the private key and the certificate of the same key pair",
    Signing { .. } => "check the key and the certificate with `openssl pkey -check` and `openssl x509 -text`",
    Internal { .. } => None,
} }

/// Returns the last reason of OpenSSL, which says most.
pub(crate) fn reason(errors: &ErrorStack) -> String {
    let last = errors.errors().last();
    last.and_then(|e| e.reason()).unwrap_or("OpenSSL reports no reason").to_owned()
}
