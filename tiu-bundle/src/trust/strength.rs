//! The strength of the certificates of a chain. OpenSSL's level for keys of 112 bits accepts
//! certificates that are signed with SHA-224; tiu does not.

use crate::names::subject;
use crate::signature::{SignatureError, reason, weak_certificate_signature};
use openssl::x509::X509;

/// Checks how each certificate is signed. A signature with the
/// certificate's own key proves nothing.
pub(super) fn check(chain: &[X509]) -> Result<(), SignatureError> {
    for certificate in chain.iter().filter(|certificate| !is_self_signed(certificate)) {
        let der = certificate.to_der().map_err(|e| SignatureError::Internal { reason: reason(&e) })?;
        let found = weak_certificate_signature(&der).unwrap_or_else(|_| Some("an unknown algorithm".into()));
        if let Some(found) = found {
            return Err(SignatureError::WeakCertificate { subject: subject(certificate), found });
        }
    }
    Ok(())
}

/// Returns whether a certificate was issued by itself.
pub(super) fn is_self_signed(certificate: &X509) -> bool {
    certificate.issued(certificate).as_raw() == 0
}
