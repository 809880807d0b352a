//! The purpose of a certificate, and the moment at which it must be valid.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu_system::named::Named;

/// The extended key usage (EKU) that a signer's certificate must have.
///
/// | the certificate's EKU | `CodeSigningOrNone` | `CodeSigning` | `SmimeSign` | `Any` |
/// |---|---|---|---|---|
/// | none | yes | no | yes | yes |
/// | emailProtection | no | no | yes | yes |
/// | codeSigning | yes | yes | no | yes |
/// | emailProtection and codeSigning | yes | yes | yes | yes |
/// | serverAuth | no | no | no | yes |
///
/// A certificate for code signing must not be one for serverAuth or for any purpose too. All except
/// `Any` also require that the certificate is not a certification authority's, that the key usage,
/// if present, allows digital signatures, and that intermediate certificates that have an EKU have
/// this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// codeSigning, or no extended key usage at all.
    #[default]
    CodeSigningOrNone,
    /// codeSigning.
    CodeSigning,
    /// emailProtection, or no extended key usage at all, as `openssl cms -verify` asks.
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
                // A certificate has years of four digits.
                .filter(|seconds| OffsetDateTime::from_unix_timestamp(*seconds).is_ok_and(|t| t.year() >= 0))
                .or_else(|| Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp()))
                .map(ValidAt::Unix)
                .ok_or("expected now, signing-time, a time like 2026-01-31T12:00:00Z, or seconds since 1970"),
        }
    }
}
