//! Whom we trust: certificates, revocation lists, purpose and time.

mod chain;
mod files;
mod usage;

use openssl::x509::X509;
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu_system::Hint;
use tiu_system::named::Named;

/// Which extended key usage (EKU) a signer's certificate must have.
///
/// | the certificate's EKU | `CodeSigningOrNone` | `CodeSigning` | `SmimeSign` | `Any` |
/// |---|---|---|---|---|
/// | none | yes | no | yes | yes |
/// | emailProtection | no | no | yes | yes |
/// | codeSigning | yes | yes | no | yes |
/// | emailProtection and codeSigning | yes | yes | yes | yes |
/// | serverAuth | no | no | no | yes |
///
/// A certificate for code signing must not be one for serverAuth or for any purpose too. All but `Any` also ask that the key usage,
/// where there is one, allows digital signatures, and that intermediate certificates that have an EKU have this one.
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

impl Named for Purpose {
    const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (Purpose::CodeSigningOrNone, "codesign-or-none", "codeSigning, or no extended key usage at all"),
        (Purpose::CodeSigning, "codesign", "codeSigning"),
        (
            Purpose::SmimeSign,
            "smimesign",
            "emailProtection, or no extended key usage at all (as `openssl cms -verify`)",
        ),
        (Purpose::Any, "any", "Anything"),
    ];
}

impl std::str::FromStr for ValidAt {
    type Err = &'static str;

    /// Reads `now`, `signing-time`, a time in RFC 3339, or seconds since 1970.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "now" => Ok(ValidAt::Now),
            "signing-time" => Ok(ValidAt::SigningTime),
            _ => text
                .parse()
                .ok()
                .or_else(|| Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp()))
                .map(ValidAt::Unix)
                .ok_or("expected now, signing-time, a time like 2026-01-31T12:00:00Z, or seconds since 1970"),
        }
    }
}

/// How signatures are checked.
///
/// Every chain must end in a self-signed certificate of the keyring. Certificates enclosed in a signature only help to get there.
#[derive(Clone)]
pub struct Trust {
    anchors: Vec<X509>,
    /// Read again for each check: the `openssl` crate takes revocation lists from files only.
    crls: Vec<files::CrlFile>,
    purpose: Purpose,
    valid_at: ValidAt,
}

/// A keyring that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file or directory cannot be read.
    #[error("reading {} failed: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// No certificate in any of the places.
    #[error("the keyring has no certificate: looked into {}", shown(paths))]
    Empty {
        /// Files and directories.
        paths: Vec<PathBuf>,
    },
    /// No revocation list where one was promised.
    #[error("{} has no revocation list", path.display())]
    NoCrl {
        /// File or directory.
        path: PathBuf,
    },
    /// Neither a certificate nor a revocation list.
    #[error("{} is neither a certificate nor a revocation list, in PEM or in DER", path.display())]
    NotACertificate {
        /// File.
        path: PathBuf,
    },
    /// A PEM file with a damaged block.
    #[error("{}: the {label} at line {line} cannot be read", path.display())]
    BadBlock {
        /// File.
        path: PathBuf,
        /// What the block says it is.
        label: String,
        /// Line of its first line, from 1.
        line: usize,
    },
    /// A PEM file with something that does not belong there, a private key for example.
    #[error("{}: line {line} starts a {label}, expected certificates and revocation lists only", path.display())]
    UnexpectedBlock {
        /// File.
        path: PathBuf,
        /// What the block says it is.
        label: String,
        /// Line of its first line, from 1.
        line: usize,
    },
    /// A file too large to be a keyring.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        /// Largest size in bytes.
        limit: u64,
    },
    /// OpenSSL cannot be given the path of a revocation list.
    #[error("the path of the revocation list {} is not UTF-8", path.display())]
    Path {
        /// File.
        path: PathBuf,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    match paths {
        [] => "nothing, because no keyring is configured".to_owned(),
        paths => paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

impl Hint for TrustError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            TrustError::Io { .. } => {
                "check the path and its permissions; the keyring is given with --keyring or in the configuration"
            }
            TrustError::Empty { .. } => {
                "put the CA certificate of whoever signs your bundles there, in a file that ends in .pem, .crt, .cer or .der"
            }
            TrustError::NoCrl { .. } => {
                "put the revocation lists there, in files that end in .crl or .pem, or do not configure any"
            }
            TrustError::NotACertificate { .. } | TrustError::BadBlock { .. } => {
                "look at the file with `openssl x509 -text -in FILE`, and fetch it again"
            }
            TrustError::UnexpectedBlock { .. } => "keep private keys and other things out of keyrings",
            TrustError::TooLarge { .. } => "is this the right file? keyrings are small",
            TrustError::Path { .. } => "rename the file",
        };
        Some(hint.into())
    }
}

impl Trust {
    /// Certificates (PEM, many in a file, or DER) from a file, or from every `*.pem`, `*.crt`, `*.cer`, `*.der` of a directory.
    /// CRLs found in the same places (`*.crl`, or `X509 CRL` blocks in PEM files) are used too.
    pub fn from_paths(keyrings: &[impl AsRef<Path>]) -> Result<Self, TrustError> {
        let mut trust = Trust {
            anchors: Vec::new(),
            crls: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::default(),
        };
        for path in keyrings {
            for file in files::expand(path.as_ref())? {
                let found = files::read(&file)?;
                trust.anchors.extend(found.certificates);
                trust.crls.extend(found.crl);
            }
        }
        match trust.anchors.is_empty() {
            true => {
                Err(TrustError::Empty { paths: keyrings.iter().map(|p| p.as_ref().to_owned()).collect() })
            }
            false => Ok(trust),
        }
    }

    /// Adds CRLs from a file or directory; from then on every certificate of a chain needs a current CRL of its issuer.
    /// Certificates found there are not trusted.
    pub fn add_crls(&mut self, path: &Path) -> Result<(), TrustError> {
        let before = self.crls.len();
        for file in files::expand(path)? {
            self.crls.extend(files::read(&file)?.crl);
        }
        match self.crls.len() == before {
            true => Err(TrustError::NoCrl { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// Default: [`Purpose::CodeSigningOrNone`].
    pub fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Default: [`ValidAt::Now`].
    pub fn set_valid_at(&mut self, at: ValidAt) {
        self.valid_at = at;
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let anchors: Vec<_> = self.anchors.iter().map(|anchor| crate::names::subject(anchor)).collect();
        f.debug_struct("Trust")
            .field("anchors", &anchors)
            .field("crls", &self.crls)
            .field("purpose", &self.purpose)
            .field("valid_at", &self.valid_at)
            .finish()
    }
}
