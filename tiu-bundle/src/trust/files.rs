//! Certificates and revocation lists from files, in PEM or DER.

use super::error::TrustError;
use super::skipped::{EXTENSIONS, SkippedFiles};
use openssl::ssl::SslFiletype;
use openssl::x509::{X509, X509Crl};
use rustix::fs::MemfdFlags;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiu_system::text::printable;
use tiu_system::tree::{Files, TreeError};

/// Largest file that is read, in bytes: the revocation lists of large authorities have some
/// megabytes.
const MAX_FILE_SIZE: u64 = 64 << 20;

/// The content of a file with at least one revocation list.
#[derive(Clone, Debug)]
pub(super) struct CrlFile {
    /// The file, for messages.
    pub path: PathBuf,
    /// True if it is PEM, false if it is DER.
    pub pem: bool,
    /// Its content in memory: the `openssl` crate takes revocation lists from files only.
    content: Arc<File>,
}

impl CrlFile {
    fn new(path: PathBuf, pem: bool, bytes: &[u8]) -> io::Result<Self> {
        let mut content = File::from(rustix::fs::memfd_create("tiu-crl", MemfdFlags::CLOEXEC)?);
        content.write_all(bytes)?;
        Ok(CrlFile { path, pem, content: Arc::new(content) })
    }

    /// Returns a path of this process that leads to the content.
    pub fn content_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.content.as_raw_fd()))
    }

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

fn failed(TreeError { path, source }: TreeError) -> TrustError {
    TrustError::Io { path, source }
}

/// Returns the file itself, or the files of a directory that are certificates or revocation lists
/// by their names, sorted. Adds the others to `skipped`.
pub(super) fn expand(
    files: &dyn Files,
    path: &Path,
    skipped: &mut Vec<SkippedFiles>,
) -> Result<Vec<PathBuf>, TrustError> {
    let Some(names) = files.list(path).map_err(failed)? else { return Ok(vec![path.to_owned()]) };
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for name in names {
        let name = OsStr::from_bytes(&name);
        let extension = Path::new(name).extension().and_then(|e| e.to_str());
        if extension.is_some_and(|e| EXTENSIONS.contains(&e)) {
            found.push(path.join(name));
        } else {
            others.push(name.to_owned());
        }
    }
    let others = SkippedFiles { directory: files.shown(path), names: others };
    if !others.names.is_empty() && !skipped.contains(&others) {
        skipped.push(others);
    }
    Ok(found)
}

/// Reads a file, which must hold a certificate or a revocation list.
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Found, TrustError> {
    let shown = files.shown(path);
    let unreadable = |source| TrustError::Io { path: shown.clone(), source };
    let mut bytes = Vec::new();
    let file = files.open(path).map_err(failed)?;
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(TrustError::TooLarge { path: shown, limit: MAX_FILE_SIZE });
    }
    let mut found = Found::default();
    let is_crl = match der(&bytes) {
        Some(Der::Certificate(certificate)) => {
            found.certificates.push(certificate);
            None
        }
        Some(Der::Crl) => Some(false),
        None => pem(&shown, &bytes, &mut found.certificates)?.then_some(true),
    };
    if let Some(pem) = is_crl {
        found.crl = Some(CrlFile::new(shown.clone(), pem, &bytes).map_err(unreadable)?);
    }
    if found.certificates.is_empty() && found.crl.is_none() {
        Err(TrustError::NotACertificate { path: shown })
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
