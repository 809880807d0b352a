//! Options of all commands that sign: whose certificate, and where its key is.

use super::Failure;
use std::path::PathBuf;
use tiu_create::{Identity, KeySource, Secret};

/// Who signs.
#[derive(clap::Args)]
#[command(next_help_heading = "Signing")]
pub struct SignerArguments {
    /// Certificate of the signer (PEM); further ones in the file count as intermediates
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the signer: a PEM file, or a `pkcs11:` URI
    #[arg(long, value_name = "FILE|URI", requires = "cert")]
    key: Option<String>,
    /// Certificate between the signer's and the CA's (PEM); can be given more than once
    #[arg(long, value_name = "FILE", requires = "cert")]
    intermediate: Vec<PathBuf>,
    /// File whose first line decrypts the key; without it an encrypted key's passphrase is asked for
    #[arg(long, value_name = "FILE", requires = "key")]
    passphrase_file: Option<PathBuf>,
    /// File whose first line is the PIN of the token; without it the PIN is asked for
    #[arg(long, value_name = "FILE", requires = "key")]
    pin_file: Option<PathBuf>,
    /// PKCS#11 module of the token; default: those that the system is configured for
    #[arg(long, value_name = "FILE", requires = "key")]
    pkcs11_module: Option<PathBuf>,
}

impl SignerArguments {
    /// Reads certificates and key, if they are given.
    pub fn load(&self) -> Result<Option<Identity>, Failure> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let secret = |file: &Option<PathBuf>| file.clone().map_or(Secret::Prompt, Secret::File);
        let key = match key.starts_with("pkcs11:") {
            true => KeySource::Pkcs11 {
                uri: key.clone(),
                pin: secret(&self.pin_file),
                module: self.pkcs11_module.clone(),
            },
            false => KeySource::File { path: key.into(), passphrase: secret(&self.passphrase_file) },
        };
        Identity::load(cert, &key, &self.intermediate).map(Some).map_err(Failure::new)
    }
}
