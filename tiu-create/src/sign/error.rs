//! The errors of signing.

use crate::files::OutputError;
use std::io;
use std::path::PathBuf;
use tiu_bundle::bundle::BundleError;
use tiu_bundle::signature::SignatureError;
use tiu_system::hints;
use tiu_system::program::RunError;
use tiu_system::progress::Cancelled;
use tiu_system::text::printable_path;

/// An error that prevented the signature. The bundle is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum SignError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file that is not written to.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Hosts would refuse what the certificate signs.
    #[error("hosts would refuse a bundle with this signature: {0}")]
    Unverifiable(SignatureError),
    /// The PIN is part of the key's URI.
    #[error("the URI of the key holds the PIN (pin-value), which others can see on the command line")]
    PinInUri,
    /// A passphrase where a file was expected.
    #[error(
        "found a passphrase (`pass:...`) on the command line, which others can see, expected the name of a file"
    )]
    SecretArgument,
    /// The place of the PIN in the key's URI cannot be used.
    #[error("the URI of the key: pin-source is {found}, expected one absolute path or `file:` URI")]
    PinSource {
        /// Its kind, in words: the value could be the PIN itself.
        found: &'static str,
    },
    /// Others can read the file with the PIN.
    #[error(
        "{}: the file with the PIN has mode {mode:04o}: everybody can read or change it",
        printable_path(path)
    )]
    PinFileMode { path: PathBuf, mode: u32 },
    /// The PIN is in something else than a regular file.
    #[error("{} is not a regular file", printable_path(path))]
    PinFileKind { path: PathBuf },
    /// The bundle cannot be signed.
    #[error("{}: {source}", path.display())]
    Bundle { path: PathBuf, source: BundleError },
    /// A certificate file that holds none, or something else.
    #[error("{}: found {found} certificates in PEM, expected {expected}", path.display())]
    Certificates { path: PathBuf, found: usize, expected: &'static str },
    /// A key file that cannot be used.
    #[error("{}: the private key cannot be read: {reason}", path.display())]
    Key { path: PathBuf, reason: String },
    /// The key is encrypted and the passphrase is wrong.
    #[error("{}: the passphrase does not decrypt the private key", path.display())]
    Passphrase { path: PathBuf },
    /// A passphrase is needed and there is no terminal to ask for it.
    #[error("the {what} cannot be asked for: {source}")]
    NoTerminal {
        /// `passphrase` or `PIN`.
        what: &'static str,
        source: io::Error,
    },
    /// Signing failed.
    #[error(transparent)]
    Signature(SignatureError),
    /// The token, or OpenSSL's engine for it, failed.
    #[error("signing with the token failed: {0}")]
    Token(#[source] RunError),
    /// The key is not the certificate's.
    #[error("the token's key does not belong to the certificate: {0}")]
    TokenKey(SignatureError),
    /// A CMS that clients would refuse.
    #[error("the CMS cannot be inserted: {0}")]
    Cms(SignatureError),
    /// A CMS over something else.
    #[error("the CMS signs another manifest: line {line} is {found:?}, in the bundle it is {expected:?}")]
    OtherContent {
        /// Line number from 1.
        line: usize,
        /// In the CMS.
        found: String,
        /// In the bundle.
        expected: String,
    },
    /// A CMS over text whose line ends were changed.
    #[error("the CMS signs the manifest with other line ends (CR LF)")]
    LineEnds,
    /// Signing was cancelled.
    #[error("{0}; nothing was written")]
    Cancelled(#[from] Cancelled),
}

hints! { SignError {
    forward Output, Bundle.source, Signature, Cancelled;
    Unverifiable(SignatureError::Expired { .. } | SignatureError::NotYetValid { .. }) => {
        "sign with a certificate that is valid now, and check this machine's clock; --allow-unverifiable \
         signs anyway"
    },
    Unverifiable(source) => format!(
        "{}; --allow-unverifiable signs anyway",
        source.hint().unwrap_or_else(|| "sign with another certificate".to_owned())
    ),
    PinInUri => "remove it from the URI and use --pin-file FILE, or type it when asked; change the PIN if \
                 others use this machine",
    SecretArgument => "write it to a file that only you can read, and give the name of that file; change \
                       it if others use this machine",
    PinSource { .. } => "write `pin-source=/path/to/file` or `pin-source=file:/path/to/file` in the URI, or use --pin-file",
    PinFileMode { path, .. } => format!("chmod o-rwx {}, and change the PIN", printable_path(path)),
    PinFileKind { .. } => "name a file whose first line is the PIN",
    Token(RunError::Missing { program }) => format!("install the package {}", program.package),
    Token(_) => "check that OpenSSL's pkcs11 engine is installed (libengine-pkcs11-openssl), that the \
                 token is plugged in, and that URI and PIN are right; `p11tool --list-tokens` or \
                 `pkcs11-tool -L` shows tokens",
    TokenKey(_) => "give the certificate of the key that the URI names",
    Certificates { .. } => "give a file with `-----BEGIN CERTIFICATE-----`",
    Key { .. } => "give the private key in PEM, or a `pkcs11:` URI",
    Passphrase { .. } => "check the passphrase; in a file it is the first line",
    NoTerminal { what, .. } if what.contains("PIN") => "give it in a file: --pin-file",
    NoTerminal { .. } => "give it in a file: --passphrase-file",
    Cms(_) => "make it with `openssl cms -sign -binary -nodetach -md sha256 -nosmimecap -outform DER \
        -signer CERT -inkey KEY -in PAYLOAD -out CMS`",
    OtherContent { .. } => "write this bundle's payload with --write-payload and sign that file",
    LineEnds => "sign with `-binary`, so that OpenSSL leaves line ends alone",
    Read { .. } | Write { .. } => "check the path and its permissions",
} }
