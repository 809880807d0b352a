//! Command-line arguments and steps that programs which open bundles share: whom to trust, opening, signals.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tiu_bundle::Hint;
use tiu_bundle::bundle::{Bundle, BundleError};
use tiu_bundle::progress::Cancel;
use tiu_bundle::read_at::FileSource;
use tiu_bundle::trust::{Purpose, Trust, TrustError, ValidAt};

/// `--purpose`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PurposeName {
    /// codeSigning, or no extended key usage at all.
    #[default]
    CodesignOrNone,
    /// codeSigning.
    Codesign,
    /// emailProtection, or no extended key usage at all (as `openssl cms -verify`).
    Smimesign,
    /// Anything.
    Any,
}

impl From<PurposeName> for Purpose {
    fn from(name: PurposeName) -> Self {
        match name {
            PurposeName::CodesignOrNone => Purpose::CodeSigningOrNone,
            PurposeName::Codesign => Purpose::CodeSigning,
            PurposeName::Smimesign => Purpose::SmimeSign,
            PurposeName::Any => Purpose::Any,
        }
    }
}

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
    #[arg(long, value_enum, value_name = "PURPOSE", default_value_t)]
    pub purpose: PurposeName,
    /// When certificates must be valid: `now`, `signing-time`, or seconds since 1970
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = valid_at)]
    pub valid_at: ValidAt,
}

fn valid_at(text: &str) -> Result<ValidAt, String> {
    match text {
        "now" => Ok(ValidAt::Now),
        "signing-time" => Ok(ValidAt::SigningTime),
        other => other
            .parse()
            .map(ValidAt::Unix)
            .map_err(|_| "expected now, signing-time or seconds since 1970".into()),
    }
}

impl TrustArguments {
    /// Reads keyring and CRLs.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let mut trust = Trust::from_paths(&self.keyring)?;
        for crl in &self.crl {
            trust.add_crls(crl)?;
        }
        trust.set_purpose(self.purpose.into());
        trust.set_valid_at(self.valid_at);
        Ok(trust)
    }
}

/// Why a bundle file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file.
    #[error("the bundle {} cannot be opened: {source}", path.display())]
    File {
        /// Path as given.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A directory, a device, a pipe.
    #[error("{} is {found}, expected a bundle file", path.display())]
    NotAFile {
        /// Path as given.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Its contents.
    #[error("{}: {source}", path.display())]
    Bundle {
        /// Path as given.
        path: PathBuf,
        /// Cause.
        source: BundleError,
    },
}

impl Hint for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            OpenError::File { .. } => Some("check the path, and whether the stick is still there".into()),
            OpenError::NotAFile { .. } => Some("give the path of the .tiu file itself".into()),
            OpenError::Bundle { source, .. } => source.hint(),
        }
    }
}

/// Opens a bundle once; everything is read through this one descriptor.
pub fn open_bundle(path: &Path, trust: &Trust) -> Result<Bundle, OpenError> {
    let failed = |source| OpenError::File { path: path.into(), source };
    // O_NONBLOCK: a FIFO must not hold us up before it is found to be one.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if !kind.is_file() {
        let found = match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_block_device() => "a block device",
            () if kind.is_char_device() => "a character device",
            () if kind.is_fifo() => "a named pipe",
            () => "something else",
        };
        return Err(OpenError::NotAFile { path: path.into(), found });
    }
    let source = Arc::new(FileSource::new(file).map_err(failed)?);
    Bundle::open(source, trust).map_err(|source| OpenError::Bundle { path: path.into(), source })
}

/// Set by the first SIGINT, SIGTERM or SIGHUP, for the rest of the process's life.
pub fn cancel_on_signals() -> io::Result<&'static Cancel> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    static CANCEL: OnceLock<Cancel> = OnceLock::new();
    let cancel = CANCEL.get_or_init(Cancel::new);
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            cancel.cancel();
        }
    });
    Ok(cancel)
}
