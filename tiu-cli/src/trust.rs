//! Whom to trust, as command-line arguments.

use std::path::PathBuf;
use tiu_bundle::trust::{Purpose, Trust, TrustError, ValidAt};

/// Whom to trust.
#[derive(Clone, Debug, clap::Args)]
pub struct TrustArguments {
    /// Trusts these certificates, a file or a directory; may be given more than once
    #[arg(long, value_name = "FILE|DIR", required = true)]
    pub keyring: Vec<PathBuf>,
    /// Certificate revocation lists, a file or a directory; with any, each certificate of a chain needs a current one
    #[arg(long, value_name = "FILE|DIR")]
    pub crl: Vec<PathBuf>,
    /// What the signer's certificate must be for
    #[arg(long, value_parser = crate::named::<Purpose>(), value_name = "PURPOSE", default_value = "codesign-or-none")]
    pub purpose: Purpose,
    /// When certificates must be valid: `now`, `signing-time`, a time in RFC 3339, or seconds since 1970
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = <ValidAt as std::str::FromStr>::from_str)]
    pub valid_at: ValidAt,
}

impl TrustArguments {
    /// Reads keyring and CRLs.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let mut trust = Trust::from_paths(&self.keyring)?;
        for crl in &self.crl {
            trust.add_crls(crl)?;
        }
        trust.set_purpose(self.purpose);
        trust.set_valid_at(self.valid_at);
        Ok(trust)
    }
}
