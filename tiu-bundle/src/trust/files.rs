//! Certificates and revocation lists from files, in PEM or DER.

use super::error::TrustError;
use super::skipped::{EXTENSIONS, SkippedFiles};
use openssl::ssl::SslFiletype;
use openssl::x509::{X509, X509Crl};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tiu_system::text::printable;

/// Largest file that is read, in bytes: the revocation lists of large authorities have some
/// megabytes.
const MAX_FILE_SIZE: u64 = 64 << 20;

/// `O_NONBLOCK` of open(2).
const O_NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// A file with at least one revocation list.
#[derive(Clone, Debug)]
pub(super) struct CrlFile {
    pub path: PathBuf,
    /// True if it is PEM, false if it is DER.
    pub pem: bool,
}

impl CrlFile {
    pub fn file_type(&self) -> SslFiletype {
        if self.pem { SslFiletype::PEM } else { SslFiletype::ASN1 }
    }
}

/// The content of a file.
#[derive(Default)]
pub(super) struct Found {
    pub certificates: Vec<X509>,
    pub crl: Option<CrlFile>,
}

/// Returns the file itself, or the files of a directory that are certificates or revocation lists
/// by their names, sorted. Adds the others to `skipped`.
pub(super) fn expand(path: &Path, skipped: &mut Vec<SkippedFiles>) -> Result<Vec<PathBuf>, TrustError> {
    let failed = |source| TrustError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut others = SkippedFiles { directory: path.to_owned(), names: Vec::new() };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.path();
        let extension = file.extension().and_then(|e| e.to_str());
        if extension.is_some_and(|e| EXTENSIONS.contains(&e)) {
            files.push(file);
        } else {
            others.names.push(entry.file_name());
        }
    }
    files.sort();
    others.names.sort();
    if !others.names.is_empty() && !skipped.contains(&others) {
        skipped.push(others);
    }
    Ok(files)
}

/// Reads a file, which must hold a certificate or a revocation list.
pub(super) fn read(path: &Path) -> Result<Found, TrustError> {
    let failed = |source| TrustError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // Opening a fifo must not wait for a writer.
    let file = std::fs::File::options().read(true).custom_flags(O_NONBLOCK).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(TrustError::TooLarge { path: path.to_owned(), limit: MAX_FILE_SIZE });
    }
    let mut found = Found::default();
    let is_crl = match der(&bytes) {
        Some(Der::Certificate(certificate)) => {
            found.certificates.push(certificate);
            None
        }
        Some(Der::Crl) => Some(false),
        None => pem(path, &bytes, &mut found.certificates)?.then_some(true),
    };
    if let Some(pem) = is_crl {
        if path.to_str().is_none_or(|path| path.contains('\0')) {
            return Err(TrustError::Path { path: path.to_owned() });
        }
        found.crl = Some(CrlFile { path: path.to_owned(), pem });
    }
    if found.certificates.is_empty() && found.crl.is_none() {
        Err(TrustError::NotACertificate { path: path.to_owned() })
    } else {
        Ok(found)
    }
}

enum Der {
    Certificate(X509),
    Crl,
}

/// Returns the DER of one certificate or revocation list with nothing after it.
fn der(bytes: &[u8]) -> Option<Der> {
    if let Ok(certificate) = X509::from_der(bytes) {
        return (certificate.to_der().ok()?.len() == bytes.len()).then_some(Der::Certificate(certificate));
    }
    let crl = X509Crl::from_der(bytes).ok()?;
    (crl.to_der().ok()?.len() == bytes.len()).then_some(Der::Crl)
}

/// Adds the certificates of a PEM file. Returns whether it has a revocation list.
fn pem(path: &Path, bytes: &[u8], certificates: &mut Vec<X509>) -> Result<bool, TrustError> {
    let text = String::from_utf8_lossy(bytes);
    let mut has_crl = false;
    let mut lines = (1..).zip(text.lines());
    while let Some((line, first)) = lines.next() {
        let Some(label) =
            first.strip_prefix("-----BEGIN ").and_then(|rest| rest.trim_end().strip_suffix("-----"))
        else {
            // Text between the blocks, as `openssl x509 -text` writes it.
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut block = format!("{first}\n");
        let mut complete = false;
        for (_, next) in lines.by_ref() {
            block += next;
            block.push('\n');
            if next.trim_end() == end {
                complete = true;
                break;
            }
        }
        let bad = || TrustError::BadBlock { path: path.to_owned(), label: shown(label), line };
        if !complete {
            return Err(bad());
        }
        match label {
            "CERTIFICATE" => certificates.push(X509::from_pem(block.as_bytes()).map_err(|_| bad())?),
            "X509 CRL" => {
                X509Crl::from_pem(block.as_bytes()).map_err(|_| bad())?;
                has_crl = true;
            }
            label => {
                return Err(TrustError::UnexpectedBlock { path: path.to_owned(), label: shown(label), line });
            }
        }
    }
    Ok(has_crl)
}

fn shown(label: &str) -> String {
    printable(&label.chars().take(60).collect::<String>())
}
