//! Whom we trust: certificates, revocation lists, purpose and time.

use crate::hint::Hint;
use std::path::{Path, PathBuf};

/// Which extended key usage a signer's certificate must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// codeSigning, or no extended key usage at all.
    #[default]
    CodeSigningOrNone,
    /// codeSigning must be there.
    CodeSigning,
    /// emailProtection must be there, or no extended key usage at all (what `openssl cms -verify` asks).
    SmimeSign,
    /// Anything.
    Any,
}

/// The moment at which certificates must be valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValidAt {
    /// Now.
    #[default]
    Now,
    /// The signing time in the signed attributes.
    SigningTime,
    /// A fixed moment in seconds since 1970 (tests, and hosts without a clock).
    Unix(i64),
}

/// How signatures are checked.
pub struct Trust {}

/// A keyring that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Placeholder until trust is written.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// File or directory.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl Hint for TrustError {
    fn hint(&self) -> Option<String> {
        None
    }
}

impl Trust {
    /// Certificates (PEM, many in a file, or DER) from a file, or from every `*.pem`, `*.crt`, `*.cer`, `*.der` of a directory.
    /// CRLs found in the same places (`*.crl`, or `X509 CRL` blocks in PEM files) are used too.
    pub fn from_paths(_keyrings: &[impl AsRef<Path>]) -> Result<Self, TrustError> {
        todo!()
    }
    /// Adds CRLs from a file or directory; from then on every certificate of a chain needs a current CRL of its issuer.
    pub fn add_crls(&mut self, _path: &Path) -> Result<(), TrustError> {
        todo!()
    }
    /// Default: [`Purpose::CodeSigningOrNone`].
    pub fn set_purpose(&mut self, _purpose: Purpose) {
        todo!()
    }
    /// Default: [`ValidAt::Now`].
    pub fn set_valid_at(&mut self, _at: ValidAt) {
        todo!()
    }
}
