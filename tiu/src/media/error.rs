//! The errors of media.

use std::io;
use std::path::PathBuf;
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::program::RunError;

/// The reason why a medium is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum MediaError {
    /// It has another filesystem, or none.
    #[error("{} has the filesystem {found:?}, this host mounts only {} from media", device.display(), allowed.join(", "))]
    Filesystem { device: PathBuf, found: String, allowed: Vec<String> },
    /// It cannot be mounted.
    #[error("{} cannot be mounted: {source}", device.display())]
    Mount { device: PathBuf, source: io::Error },
    /// The mount point cannot be made.
    #[error("{}: {source}", path.display())]
    Place { path: PathBuf, source: io::Error },
    /// The report cannot be written.
    #[error("the report on {} was not written: {source}", device.display())]
    Report { device: PathBuf, source: io::Error },
    #[error(transparent)]
    Run(#[from] RunError),
}

hints! { MediaError {
    forward Run;
    Filesystem { .. } => "format the medium with one of these, or allow another one: usb-filesystems in tiu.yaml",
    Mount { source, .. } | Report { source, .. } =>
        errno::hint(source).unwrap_or("see whether it is still plugged in, and what dmesg says"),
    Place { source, .. } => errno::hint(source).unwrap_or("see whether the directory can be made"),
} }
