//! The options of all commands that sign: the certificate, and the place of its key.

use super::name::NAME;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tiu_bundle::trust::Trust;
use tiu_cli::Failure;
use tiu_create::{Hosts, KeySource, Secret, SigningIdentity};
use tiu_system::text::printable_path;

/// The signer.
#[derive(clap::Args)]
#[command(next_help_heading = "Signing")]
pub struct SignerArguments {
    /// Certificate of the signer (PEM); further certificates in the file are intermediates
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the signer: a PEM file, or a `pkcs11:` URI
    #[arg(long, value_name = "FILE|URI", requires = "cert")]
    key: Option<String>,
    /// Intermediate certificate between the signer's and the CA's (PEM); can be given more than
    /// once
    #[arg(long, value_name = "FILE", requires = "cert")]
    intermediate: Vec<PathBuf>,
    /// File whose first line decrypts the key; without it, the program asks for the passphrase
    #[arg(long, value_name = "FILE", requires = "key")]
    passphrase_file: Option<PathBuf>,
    /// File whose first line is the PIN of the token; without it and without `pin-source` in the
    /// URI, the program asks for the PIN
    #[arg(long, value_name = "FILE", requires = "key")]
    pin_file: Option<PathBuf>,
    /// PKCS#11 module of the token [default: the modules that the system configures]
    #[arg(long, value_name = "FILE", requires = "key")]
    pkcs11_module: Option<PathBuf>,
    /// Keyring of the hosts that must accept the signature, a file or a directory; can be given
    /// more than once
    #[arg(long, value_name = "FILE|DIR")]
    keyring: Vec<PathBuf>,
    /// Sign even if hosts will refuse the signature
    #[arg(long)]
    allow_unverifiable: bool,
}

impl SignerArguments {
    /// Reads certificates and key, if they were given.
    pub fn load(&self) -> Result<Option<SigningIdentity>, Failure> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let secret = |file: &Option<PathBuf>| file.clone().map_or(Secret::Prompt, Secret::File);
        let named = [&self.passphrase_file, &self.pin_file].into_iter().flatten().map(PathBuf::as_path);
        named.chain([Path::new(key)]).for_each(warn_readable);
        let scheme = key.split(':').next().unwrap_or_default();
        let key = if key.contains(':') && scheme.eq_ignore_ascii_case("pkcs11") {
            KeySource::Pkcs11 {
                uri: key.clone(),
                pin: secret(&self.pin_file),
                module: self.pkcs11_module.clone(),
            }
        } else {
            KeySource::File { path: key.into(), passphrase: secret(&self.passphrase_file) }
        };
        Ok(Some(SigningIdentity::load(cert, &key, &self.intermediate, self.hosts()?)?))
    }

    /// Returns the files that [`load`](Self::load) reads.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.cert, &self.passphrase_file, &self.pin_file].into_iter().flatten();
        let key = self.key.as_ref().map(Path::new);
        files.chain(&self.intermediate).chain(&self.keyring).map(PathBuf::as_path).chain(key)
    }

    /// Returns the hosts that are to accept the signature.
    pub fn hosts(&self) -> Result<Hosts, Failure> {
        let keyring = if self.keyring.is_empty() { None } else { Some(Trust::from_paths(&self.keyring)?) };
        let skipped = keyring.iter().flat_map(Trust::skipped);
        skipped.for_each(|skipped| tiu_cli::warn(NAME, &skipped.to_string()));
        Ok(Hosts { keyring, allow_unverifiable: self.allow_unverifiable })
    }
}

/// Warns if `file` is a file with a secret that everybody can read. An encrypted key is not one.
fn warn_readable(file: &Path) {
    let mode =
        file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.permissions().mode());
    if mode.is_none_or(|mode| mode & 0o004 == 0) {
        return;
    }
    if !std::fs::read(file).is_ok_and(|text| text.windows(9).any(|word| word == b"ENCRYPTED")) {
        let file = printable_path(file);
        tiu_cli::warn(NAME, &format!("everybody on this machine can read {file}: `chmod o-rwx {file}`"));
    }
}
