//! The errors of keyrings.

use super::skipped::SkippedFiles;
use std::io;
use std::path::PathBuf;
use tiu_system::hints;
use tiu_system::text::printable_path;

/// A keyring that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum TrustError {
    /// A file or directory cannot be read.
    #[error("reading {} failed: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// No certificate in any of the files and directories.
    #[error("the keyring has no certificate: looked in {}", shown(paths, skipped))]
    Empty {
        /// Files and directories.
        paths: Vec<PathBuf>,
        /// Files in them that were not read.
        skipped: Vec<SkippedFiles>,
    },
    /// No revocation list where one was expected.
    #[error("{} has no revocation list", path.display())]
    NoCrl { path: PathBuf },
    /// Neither a certificate nor a revocation list.
    #[error("{} is neither a certificate nor a revocation list, in PEM or in DER", path.display())]
    NotACertificate { path: PathBuf },
    /// A PEM file with a damaged block.
    #[error("{}: the {label} at line {line} cannot be read", path.display())]
    BadBlock {
        path: PathBuf,
        /// The label of the block.
        label: String,
        /// Line of its first line, from 1.
        line: usize,
    },
    /// A PEM file with something that does not belong there, a private key for example.
    #[error("{}: line {line} starts a {label}, expected certificates and revocation lists only", path.display())]
    UnexpectedBlock {
        path: PathBuf,
        /// The label of the block.
        label: String,
        /// Line of its first line, from 1.
        line: usize,
    },
    /// A file too large to be a keyring.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        path: PathBuf,
        /// Largest size in bytes.
        limit: u64,
    },
}

fn shown(paths: &[PathBuf], skipped: &[SkippedFiles]) -> String {
    if paths.is_empty() {
        return "nothing, because no keyring is configured".to_owned();
    }
    let paths: Vec<String> = paths.iter().map(|path| printable_path(path)).collect();
    let skipped = skipped.iter().map(|skipped| format!("; {skipped}"));
    paths.join(", ") + &skipped.collect::<String>()
}

hints! { TrustError {
    Io { .. } =>
        "check the path and its permissions; the keyring is given with --keyring or in the configuration",
    Empty { .. } =>
        "put the CA certificate of your bundles' signer there, in a file that ends in .pem, .crt, .cer or .der",
    NoCrl { .. } =>
        "put the revocation lists there, in files that end in .crl or .pem, or do not configure any",
    NotACertificate { .. } | BadBlock { .. } =>
        "examine the file with `openssl x509 -text -in FILE`, and fetch it again",
    UnexpectedBlock { .. } => "keep private keys and other objects out of keyrings",
    TooLarge { .. } => "check that this is the right file: keyrings are small",
} }
