//! Trusted certificates and revocation lists, and the rules by which signatures are checked.

use super::error::TrustError;
use super::files;
use super::skipped::SkippedFiles;
use super::when::{Purpose, ValidAt};
use openssl::x509::{X509, X509Ref};
use std::path::{Path, PathBuf};
use tiu_system::tree::{Files, RunningFiles};

/// The rules by which signatures are checked.
///
/// Every chain must end in a self-signed certificate of the keyring. Certificates enclosed in a
/// signature only help to get there.
#[derive(Clone)]
pub struct Trust {
    pub(super) anchors: Vec<X509>,
    pub(super) crls: Vec<files::CrlFile>,
    /// Files of the directories that are not read.
    pub(super) skipped: Vec<SkippedFiles>,
    /// Certificates that no chain may have, and no other certificate of their keys.
    pub(super) distrusted: Vec<X509>,
    pub(super) purpose: Purpose,
    pub(super) valid_at: ValidAt,
    /// True if a chain may end in a certificate of the keyring that is not self-signed.
    pub(super) partial: bool,
}

impl Trust {
    /// Reads certificates (PEM, many in a file, or DER) from a file, or from every `*.pem`,
    /// `*.crt`, `*.cer`, `*.der` of a directory. CRLs found in the same places (`*.crl`, or `X509
    /// CRL` blocks in PEM files) are used too.
    pub fn from_paths(keyrings: &[impl AsRef<Path>]) -> Result<Self, TrustError> {
        let paths: Vec<&Path> = keyrings.iter().map(AsRef::as_ref).collect();
        Self::from_files(&RunningFiles, &paths)
    }

    /// Reads certificates like [`from_paths`](Self::from_paths), from the files of another system.
    pub fn from_files(files: &dyn Files, keyrings: &[&Path]) -> Result<Self, TrustError> {
        let trust = Self::read_keyrings(files, keyrings)?;
        if trust.anchors.is_empty() {
            return Err(TrustError::Empty { paths: shown(files, keyrings), skipped: trust.skipped });
        }
        Ok(trust)
    }

    /// Reads certificates like [`from_files`](Self::from_files), and those in `of_image`, which an
    /// image brought. A file of the image that cannot be used is left out and returned as an error;
    /// revocation lists of the image are left out too: one that runs out would end all updates.
    pub fn with_image(
        files: &dyn Files,
        keyrings: &[&Path],
        of_image: &Path,
    ) -> Result<(Self, Vec<TrustError>), TrustError> {
        let mut trust = Self::read_keyrings(files, keyrings)?;
        let mut left_out = Vec::new();
        match files::expand(files, of_image, &mut trust.skipped) {
            Ok(paths) => {
                for path in paths {
                    match files::read(files, &path) {
                        Ok(found) => trust.anchors.extend(found.certificates),
                        Err(error) => left_out.push(error),
                    }
                }
            }
            Err(error) => left_out.push(error),
        }
        if trust.anchors.is_empty() {
            let paths: Vec<&Path> = keyrings.iter().copied().chain([of_image]).collect();
            return Err(TrustError::Empty { paths: shown(files, &paths), skipped: trust.skipped });
        }
        Ok((trust, left_out))
    }

    fn read_keyrings(files: &dyn Files, keyrings: &[&Path]) -> Result<Self, TrustError> {
        let mut trust = Trust {
            anchors: Vec::new(),
            crls: Vec::new(),
            skipped: Vec::new(),
            distrusted: Vec::new(),
            purpose: Purpose::default(),
            valid_at: ValidAt::default(),
            partial: false,
        };
        for keyring in keyrings {
            for path in files::expand(files, keyring, &mut trust.skipped)? {
                let found = files::read(files, &path)?;
                trust.anchors.extend(found.certificates);
                trust.crls.extend(found.crl);
            }
        }
        Ok(trust)
    }

    /// Adds CRLs from a file or directory; from then on every certificate of a chain needs a
    /// current CRL of its issuer. Certificates found there are not trusted.
    pub fn add_crls(&mut self, path: &Path) -> Result<(), TrustError> {
        self.add_crls_from(&RunningFiles, path)
    }

    /// Adds CRLs like [`add_crls`](Self::add_crls), from the files of another system.
    pub fn add_crls_from(&mut self, files: &dyn Files, path: &Path) -> Result<(), TrustError> {
        let before = self.crls.len();
        for path in files::expand(files, path, &mut self.skipped)? {
            self.crls.extend(files::read(files, &path)?.crl);
        }
        if self.crls.len() == before { Err(TrustError::NoCrl { path: files.shown(path) }) } else { Ok(()) }
    }

    /// Distrusts the certificates in a file or directory: chains with one of them, or with another
    /// certificate of the same key, are refused.
    pub fn distrust(&mut self, path: &Path) -> Result<(), TrustError> {
        self.distrust_from(&RunningFiles, path)
    }

    /// Distrusts certificates like [`distrust`](Self::distrust), from the files of another system.
    pub fn distrust_from(&mut self, files: &dyn Files, path: &Path) -> Result<(), TrustError> {
        for path in files::expand(files, path, &mut self.skipped)? {
            self.distrusted.extend(files::read(files, &path)?.certificates);
        }
        // Another chain may lead to another anchor.
        let distrusted = std::mem::take(&mut self.anchors);
        self.anchors = distrusted.into_iter().filter(|anchor| !self.is_distrusted(anchor)).collect();
        Ok(())
    }

    /// Returns the files in directories of certificates and revocation lists that were not read.
    pub fn skipped(&self) -> &[SkippedFiles] {
        &self.skipped
    }

    /// Returns whether the certificate has the key of a distrusted one.
    pub(super) fn is_distrusted(&self, certificate: &X509Ref) -> bool {
        let Ok(key) = certificate.public_key() else { return true };
        self.distrusted.iter().any(|bad| bad.public_key().is_ok_and(|bad| bad.public_eq(&key)))
    }

    /// Sets the purpose. Default: [`Purpose::CodeSigningOrNone`].
    pub fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Sets the moment. Default: [`ValidAt::Now`].
    pub fn set_valid_at(&mut self, at: ValidAt) {
        self.valid_at = at;
    }
}

fn shown(files: &dyn Files, paths: &[&Path]) -> Vec<PathBuf> {
    paths.iter().map(|path| files.shown(path)).collect()
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let anchors: Vec<_> = self.anchors.iter().map(|anchor| crate::names::subject(anchor)).collect();
        f.debug_struct("Trust")
            .field("anchors", &anchors)
            .field("crls", &self.crls)
            .field("distrusted", &self.distrusted.len())
            .field("purpose", &self.purpose)
            .field("valid_at", &self.valid_at)
            .finish()
    }
}
