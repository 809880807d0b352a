//! Private files for bytes that can be read only once.
//!
//! Such a file has no name: nobody else can open it, and it disappears when the process ends for
//! any reason.

use crate::http::FetchError;
use crate::network::Network;
use crate::url::Url;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::read_at::{FileSource, Reads, SourceFailure};
use tiu_system::hints;
use tiu_system::progress::{Cancelled, Unit, Watch};

/// Bytes that stay free on the filesystem of the file.
const RESERVE: u64 = 64 << 20;
/// The bytes between two looks at the room that is left.
const LOOK: u64 = 16 << 20;
/// Bytes to copy at once.
const PIECE: usize = 1 << 20;

/// Bytes could not be kept in a private file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum SpoolError {
    /// The file cannot be made or written.
    #[error("a private file in {}: {source}", directory.display())]
    File { directory: PathBuf, source: io::Error },
    /// There is no room.
    #[error("{} has too little room: {free} bytes are free, expected {needed}", directory.display())]
    Full { directory: PathBuf, free: u64, needed: u64 },
    /// The bytes could not be read.
    #[error("{0}")]
    Read(io::Error),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { SpoolError {
    forward Cancelled;
    File { .. } => "check that the directory exists and can be written",
    Full { .. } => "free some space there",
    Read(error) => match SourceFailure::of(error) {
        Some(failure) => failure.hint(),
        None => Some("check what writes to standard input".to_owned()),
    },
} }

impl SpoolError {
    /// Returns the error of a download.
    pub(crate) fn of_url(self, url: &Url) -> FetchError {
        let url = url.to_string();
        match self {
            SpoolError::Cancelled(cancelled) => cancelled.into(),
            SpoolError::Read(error) => {
                FetchError::Connection { url, cause: error.to_string(), refused: false }
            }
            SpoolError::File { directory, source } => {
                let full = source.kind() == io::ErrorKind::StorageFull;
                FetchError::Store {
                    url,
                    directory: directory.display().to_string(),
                    cause: source.to_string(),
                    full,
                }
            }
            SpoolError::Full { directory, free, needed } => {
                let cause = format!("{free} bytes are free, expected {needed}");
                FetchError::Store { url, directory: directory.display().to_string(), cause, full: true }
            }
        }
    }
}

/// A private file that is being written.
pub(crate) struct PrivateFile {
    directory: PathBuf,
    file: File,
    since_look: u64,
}

impl PrivateFile {
    /// Makes an empty file on the filesystem of `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self, SpoolError> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|source| SpoolError::File { directory: directory.to_owned(), source })?;
        Ok(PrivateFile { directory: directory.to_owned(), file, since_look: 0 })
    }

    /// Fails if there is no room for `more` bytes and a reserve.
    pub(crate) fn check_room(&self, more: u64) -> Result<(), SpoolError> {
        let stat = rustix::fs::fstatvfs(&self.file).map_err(|e| self.failed(e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let needed = more.saturating_add(RESERVE);
        if free < needed {
            return Err(SpoolError::Full { directory: self.directory.clone(), free, needed });
        }
        Ok(())
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.since_look += bytes.len() as u64;
        if self.since_look >= LOOK {
            self.since_look = 0;
            self.check_room(0)?;
        }
        self.file.write_all(bytes).map_err(|e| self.failed(e))
    }

    /// Returns the whole file as a source.
    pub(crate) fn into_source(self) -> Result<FileSource, SpoolError> {
        let directory = self.directory;
        FileSource::new(self.file).map_err(|source| SpoolError::File { directory, source })
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError::File { directory: self.directory.clone(), source }
    }
}

/// Reads all of `reader` into a private file.
pub(crate) fn read_to_end(mut reader: impl Read, network: &Network) -> Result<FileSource, SpoolError> {
    let mut file = PrivateFile::new(&network.spool)?;
    let mut piece = vec![0; PIECE];
    loop {
        network.cancel.map_or(Ok(()), |cancel| cancel.check())?;
        match reader.read(&mut piece) {
            Ok(0) => return file.into_source(),
            Ok(read) => file.write(piece.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SpoolError::Read(error)),
        }
    }
}

/// Returns `bundle` with its bytes in a private file, if they are on a server: for work that reads
/// all of them, more than once. Other bundles stay as they are.
pub fn spooled(bundle: Bundle, network: &Network, watch: Watch) -> Result<Bundle, SpoolError> {
    if !bundle.source.is_remote() {
        return Ok(bundle);
    }
    let source = &bundle.source;
    let size = source.size();
    let file = watch.phase("Downloading", size, Unit::Bytes, || {
        let mut file = PrivateFile::new(&network.spool)?;
        file.check_room(size)?;
        source.announce(&[std::ops::Range { start: 0, end: size }], Reads::Once);
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < size {
            watch.check()?;
            let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            let bytes = piece.get_mut(..length).unwrap_or_default();
            source.read_exact_at(bytes, at).map_err(|error| match SourceFailure::of(&error) {
                Some(failure) if failure.is_cancelled() => SpoolError::Cancelled(Cancelled),
                _ => SpoolError::Read(error),
            })?;
            file.write(bytes)?;
            at += length as u64;
            watch.advance(length as u64);
        }
        file.into_source()
    })?;
    Ok(Bundle { source: Arc::new(file), ..bundle })
}
