//! Opens the file of a bundle.

use super::checked::{Bundle, BundleError};
use crate::read_at::FileSource;
use crate::signature::Signer;
use crate::trust::Trust;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiu_system::hints;

/// A bundle file that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum OpenError {
    /// The file.
    #[error("the bundle {} cannot be opened: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A directory, a device, a pipe.
    #[error("{} is {found}, expected a bundle file", path.display())]
    NotAFile { path: PathBuf, found: &'static str },
    /// Its contents.
    #[error("{}: {source}", path.display())]
    Bundle { path: PathBuf, source: BundleError },
}

hints! { OpenError {
    forward Bundle.source;
    File { .. } => "check the path, and whether the medium is still attached",
    NotAFile { .. } => "give the path of the .tiu file itself",
} }

/// Opens a bundle once; everything is read through this one descriptor.
pub fn open_bundle(path: &Path, trust: &Trust) -> Result<Bundle, OpenError> {
    open_bundle_reporting(path, trust, &mut |_| {})
}

/// Like [`open_bundle`], and calls `signed_by` as soon as the signature was verified: also if what
/// was signed is refused afterwards.
pub fn open_bundle_reporting(
    path: &Path,
    trust: &Trust,
    signed_by: &mut dyn FnMut(&Signer),
) -> Result<Bundle, OpenError> {
    let failed = |source| OpenError::File { path: path.into(), source };
    // O_NONBLOCK: a FIFO must not hold us up before it is found to be one.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if !kind.is_file() {
        let found = if kind.is_dir() {
            "a directory"
        } else if kind.is_block_device() {
            "a block device"
        } else if kind.is_char_device() {
            "a character device"
        } else if kind.is_fifo() {
            "a named pipe"
        } else {
            "something else"
        };
        return Err(OpenError::NotAFile { path: path.into(), found });
    }
    let source = Arc::new(FileSource::new(file).map_err(failed)?);
    Bundle::open_reporting(source, trust, signed_by)
        .map_err(|source| OpenError::Bundle { path: path.into(), source })
}
