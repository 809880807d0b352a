//! The signer: a certificate, its private key (a file, or a token behind PKCS#11), and the
//! certificates between it and the CA.

use super::{Hosts, Secret, SignError, SignerWarning, pkcs11};
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tiu_bundle::signature;

/// The place of the private key.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A PEM file, perhaps encrypted.
    File {
        /// The file.
        path: PathBuf,
        /// Source of its passphrase, if it has one.
        passphrase: Secret,
    },
    /// A token.
    Pkcs11 {
        /// `pkcs11:` URI (RFC 7512).
        uri: String,
        /// Source of the PIN.
        pin: Secret,
        /// PKCS#11 module to use instead of the system's configured ones.
        module: Option<PathBuf>,
    },
}

enum Key {
    Local(PKey<Private>),
    Token(pkcs11::Token),
}

/// A signer, ready to sign.
pub struct SigningIdentity {
    certificate: X509,
    intermediates: Vec<X509>,
    key: Key,
    hosts: Hosts,
    warnings: Vec<SignerWarning>,
}

impl SigningIdentity {
    /// Reads certificates and key, and checks that `hosts` will accept what they sign. Further
    /// certificates in the signer's own file count as intermediates.
    pub fn load(
        certificate: &Path,
        key: &KeySource,
        intermediates: &[PathBuf],
        hosts: Hosts,
    ) -> Result<Self, SignError> {
        // A misspelt URI is taken for a path, and messages name paths.
        let key_file = match key {
            KeySource::File { path, .. } => Some(path.as_path()),
            KeySource::Pkcs11 { .. } => None,
        };
        let mut files = intermediates.iter().map(PathBuf::as_path).chain([certificate]).chain(key_file);
        if files.any(|path| pkcs11::holds_pin(&path.to_string_lossy())) {
            return Err(SignError::PinInUri);
        }
        let mut own = certificates(certificate)?;
        let signer = own.remove(0);
        let mut between = own;
        for path in intermediates {
            between.append(&mut certificates(path)?);
        }
        // Before anybody is asked for a passphrase.
        let warnings = hosts.judge(&signer, &between)?;
        let key = match key {
            KeySource::File { path, passphrase } => Key::Local(private_key(path, passphrase)?),
            KeySource::Pkcs11 { uri, pin, module } => {
                Key::Token(pkcs11::Token::new(uri, pin, module.as_deref())?)
            }
        };
        let identity = SigningIdentity { certificate: signer, intermediates: between, key, hosts, warnings };
        identity.check()?;
        Ok(identity)
    }

    /// Checks that the key belongs to the certificate, before the packing rather than after it.
    fn check(&self) -> Result<(), SignError> {
        match &self.key {
            Key::Local(_) => self.sign(b"check").map(drop),
            // A token can require a touch or count its signatures.
            Key::Token(_) => Ok(()),
        }
    }

    /// Returns what the maker of a signature may not expect.
    pub fn warnings(&self) -> &[SignerWarning] {
        &self.warnings
    }

    /// Returns the hosts that are to accept the signatures.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Returns a CMS over `payload`.
    pub fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.key {
            Key::Local(key) => signature::sign(payload, &self.certificate, key, &self.intermediates)
                .map_err(SignError::Signature),
            Key::Token(token) => {
                let cms = token.sign(payload, &self.certificate, &self.intermediates)?;
                signature::verify_untrusted(&cms).map_err(SignError::TokenKey)?;
                Ok(cms)
            }
        }
    }
}

/// Returns all certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<X509>, SignError> {
    let pem = std::fs::read(path).map_err(|source| SignError::Read { path: path.to_owned(), source })?;
    match X509::stack_from_pem(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(SignError::Certificates { path: path.to_owned(), found: 0, expected: "at least one" }),
    }
}

fn private_key(path: &Path, passphrase: &Secret) -> Result<PKey<Private>, SignError> {
    let pem = std::fs::read(path).map_err(|source| SignError::Read { path: path.to_owned(), source })?;
    // The callback is only called for encrypted keys; its own error must not be replaced by
    // OpenSSL's.
    let failed = RefCell::new(None);
    let mut asked = false;
    let result = PKey::private_key_from_pem_callback(&pem, |buffer| {
        asked = true;
        match passphrase.get("Passphrase of the signing key") {
            Ok(secret) => {
                let length = secret.len().min(buffer.len());
                buffer.iter_mut().zip(&secret).for_each(|(to, from)| *to = *from);
                Ok(length)
            }
            Err(error) => {
                failed.replace(Some(error));
                Ok(0)
            }
        }
    });
    match (result, failed.into_inner()) {
        (_, Some(error)) => Err(error),
        (Ok(key), None) => Ok(key),
        (Err(_), None) if asked => Err(SignError::Passphrase { path: path.to_owned() }),
        (Err(e), None) => {
            let reason = e.errors().last().and_then(|e| e.reason()).unwrap_or("not a private key in PEM");
            Err(SignError::Key { path: path.to_owned(), reason: reason.to_owned() })
        }
    }
}
