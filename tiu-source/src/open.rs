//! Opens the bundle at a location, and verifies its signature.

use crate::device::{DeviceError, DeviceSource};
use crate::http::FetchError;
use crate::location::Location;
use crate::network::Network;
use crate::remote;
use crate::spool::{self, SpoolError};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiu_bundle::bundle::{self, Bundle, BundleError};
use tiu_bundle::read_at::{ReadAt, SourceFailure};
use tiu_bundle::signature::Signer;
use tiu_bundle::trust::Trust;
use tiu_system::hints;
use tiu_system::progress::Cancelled;

/// A bundle that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum OpenError {
    #[error(transparent)]
    File(#[from] bundle::OpenError),
    /// A block device without a bundle.
    #[error("the device {}: {source}", path.display())]
    Device { path: PathBuf, source: DeviceError },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Standard input.
    #[error("standard input: {0}")]
    StandardInput(SpoolError),
    /// Its contents.
    #[error("{location}: {source}")]
    Bundle { location: String, source: BundleError },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { OpenError {
    forward File, Device.source, Fetch, StandardInput, Bundle.source, Cancelled;
} }

/// Opens the bundle at `location` and verifies its signature. Of a bundle on a server, nothing but
/// the end of the file is read. `signed_by` is called as soon as the signature was verified: also
/// if what was signed is refused afterwards.
pub fn open_bundle(
    location: &Location,
    network: &Network,
    trust: &Trust,
    signed_by: &mut dyn FnMut(&Signer),
) -> Result<Bundle, OpenError> {
    let source: Arc<dyn ReadAt> = match location {
        Location::Path(path) => match device(path)? {
            Some(device) => Arc::new(device),
            None => return Ok(bundle::open_bundle_reporting(path, trust, signed_by)?),
        },
        Location::Url(url) => remote::open(url, network)?,
        Location::StandardInput => {
            Arc::new(spool::read_to_end(io::stdin().lock(), network).map_err(OpenError::StandardInput)?)
        }
    };
    Bundle::open_reporting(source, trust, signed_by).map_err(|source| match &source {
        BundleError::Io(e) if SourceFailure::of(e).is_some_and(|failure| failure.is_cancelled()) => {
            OpenError::Cancelled(Cancelled)
        }
        _ => OpenError::Bundle { location: location.to_string(), source },
    })
}

/// Returns the bundle on `path`, if that is a block device.
fn device(path: &Path) -> Result<Option<DeviceSource>, OpenError> {
    // Anything else is opened, and its errors are reported, as a file.
    if !path.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device()) {
        return Ok(None);
    }
    let failed = |source| OpenError::Device { path: path.to_owned(), source };
    let file = File::open(path).map_err(|e| failed(e.into()))?;
    let is_device = file.metadata().map_err(|e| failed(e.into()))?.file_type().is_block_device();
    if !is_device {
        return Ok(None);
    }
    DeviceSource::new(file).map(Some).map_err(failed)
}
