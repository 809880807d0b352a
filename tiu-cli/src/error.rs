//! Errors of the command line itself.

use std::io;
use std::path::{Path, PathBuf};
use tiu_system::hints;

/// An error of the command line itself, not of the work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum CliError {
    #[error("writing the output: {0}")]
    Output(io::Error),
    #[error("closing inherited file descriptors: {0}")]
    Descriptors(io::Error),
    #[error("waiting for signals: {0}")]
    Signals(io::Error),
    #[error("{}: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
}

impl CliError {
    /// Returns a function that adds `path` to an I/O error, for `map_err`.
    pub fn path(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| CliError::Path { path, source }
    }
}

hints! { CliError {
    Output(_) => "check that the file or pipe can be written",
    Descriptors(_) => "mount /proc",
    Signals(_) => "check the system's limits of processes and open files",
    Path { .. } => "check that the directory exists and can be used",
} }
