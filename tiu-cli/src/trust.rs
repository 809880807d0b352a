//! Arguments for the certificates to trust.

use crate::Failure;
use std::path::PathBuf;
use std::str::FromStr;
use tiu_bundle::trust::{Purpose, Trust, ValidAt};

/// The certificates to trust.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Trust")]
pub struct TrustArguments {
    /// Trusted certificates, a file or a directory; can be given more than once
    #[arg(long, value_name = "FILE|DIR", global = true)]
    keyring: Vec<PathBuf>,
    /// Certificate revocation lists, a file or a directory; if any is given, each certificate of a
    /// chain needs a current one
    #[arg(long, value_name = "FILE|DIR", global = true)]
    crl: Vec<PathBuf>,
    /// Purpose that the signer's certificate must have
    #[arg(long, value_parser = crate::named::<Purpose>(), value_name = "PURPOSE", global = true)]
    #[arg(default_value = "codesign-or-none")]
    purpose: Purpose,
    /// Time at which certificates must be valid: `now`, `signing-time`, a time in RFC 3339, or
    /// seconds since 1970
    #[arg(long, value_name = "WHEN", default_value = "now", global = true)]
    #[arg(value_parser = <ValidAt as FromStr>::from_str)]
    valid_at: ValidAt,
}

impl TrustArguments {
    /// Reads the keyrings and the revocation lists. Without a keyring, the command line is wrong.
    pub fn trust(&self) -> Result<Trust, Failure> {
        if self.keyring.is_empty() {
            return Err(Failure::Usage("the argument '--keyring <FILE|DIR>' is required".into()));
        }
        let mut trust = Trust::from_paths(&self.keyring)?;
        for crl in &self.crl {
            trust.add_crls(crl)?;
        }
        trust.set_purpose(self.purpose);
        trust.set_valid_at(self.valid_at);
        Ok(trust)
    }

    /// Fails if a keyring was given to the command `name`, which does not read a bundle.
    pub fn refuse(&self, name: &str) -> Result<(), Failure> {
        crate::refuse(!self.keyring.is_empty(), "--keyring <FILE|DIR>", name)
    }
}
