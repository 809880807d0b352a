//! Why bringing a directory to an image's tree failed: always the path, the operation, and what to do next.

use crate::image::ImageError;
use std::io;
use std::path::PathBuf;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::Kind;
use tiu_system::Hint;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A system call on a path of the target or of a seed failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `change the owner of`, ...
        operation: &'static str,
        /// Path, relative to the target (`.` is the target itself) or, for seeds, as it was given.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The filesystem is full.
    #[error(
        "no space left on the filesystem of the target while writing {}: {free} bytes are free, about {missing} more are needed",
        path.display()
    )]
    NoSpace {
        /// File that was being written.
        path: PathBuf,
        /// Bytes that the filesystem says are free.
        free: u64,
        /// Bytes of new content that were still to be written, beyond those that are free.
        missing: u64,
    },
    /// Content that was written is not what the index says.
    #[error("{}: the content that was written has digest {found}, the index says {expected}", path.display())]
    Digest {
        /// File.
        path: PathBuf,
        /// Content digest of what was read back.
        found: Digest,
        /// Content digest in the index.
        expected: Digest,
    },
    /// Content read from the image is longer or shorter than the index says.
    #[error("{}: the image holds {} bytes, its index says {expected}", path.display(), bytes_read(*found, *expected))]
    Size {
        /// File.
        path: PathBuf,
        /// Bytes that were read; reading stops one byte after what is expected.
        found: u64,
        /// Bytes in the index.
        expected: u64,
    },
    /// Reading a file's content from the image failed.
    #[error("cannot read {} from the image: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A directory must become something else, but it holds what belongs to the host.
    #[error(
        "{} is a directory and becomes a {expected} in the image, but it holds {}, which is not ours to remove",
        path.display(),
        held.display()
    )]
    Conflict {
        /// The directory.
        path: PathBuf,
        /// What the image has there.
        expected: Kind,
        /// The mount point, nested subvolume, host path or kept path below it.
        held: PathBuf,
    },
    /// [`Reflink::Required`](super::Reflink::Required), and the filesystem cannot share blocks.
    #[error("the filesystem of the target cannot share blocks between files (reflink of {} failed: {source})", path.display())]
    NoReflink {
        /// File that should have shared its blocks.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// More entries than can be counted.
    #[error("the target has more than {limit} entries")]
    TooMany {
        /// Limit.
        limit: u64,
    },
    /// The plan was made for another index.
    #[error("the plan was made for an index of {expected} entries, this one has {found}")]
    OtherIndex {
        /// Entries of the index in the job.
        found: usize,
        /// Entries of the index that was planned with.
        expected: usize,
    },
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl EngineError {
    /// An [`EngineError::Io`] for a path of bytes; the empty path is shown as `.`.
    pub(crate) fn io(operation: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        EngineError::Io { operation, path: shown(path), source: source.into() }
    }
}

/// How many bytes a file has of which `found` were read: reading ends soon after it proves to be too long.
pub(crate) fn bytes_read(found: u64, expected: u64) -> String {
    match found > expected {
        true => format!("more than {expected}"),
        false => found.to_string(),
    }
}

/// A path for an error message.
pub(crate) fn shown(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    match path {
        [] => PathBuf::from("."),
        path => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
    }
}

impl Hint for EngineError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            EngineError::Io { source, .. } => match rustix::io::Errno::from_io_error(source)? {
                rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => {
                    "owners, devices and trusted attributes need root: run as root, or extract with --no-owner; as root, look for \
                     the immutable attribute (lsattr)"
                }
                rustix::io::Errno::ROFS => "the target is read-only: make it writable first",
                rustix::io::Errno::LOOP => {
                    "a symlink lies on the way; the target was changed while it was being read: run again"
                }
                rustix::io::Errno::NOENT => "the target was changed while it was being read: run again",
                rustix::io::Errno::XDEV | rustix::io::Errno::BUSY => {
                    "something is mounted there: unmount it, or name it as a path of the host"
                }
                rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => {
                    "raise the limit of open files (ulimit -n)"
                }
                rustix::io::Errno::OPNOTSUPP => {
                    "the filesystem of the target does not support this; use btrfs"
                }
                rustix::io::Errno::IO => "the disk reports an error: look at the kernel's messages (dmesg)",
                _ => return None,
            },
            EngineError::NoSpace { .. } => {
                "free some space (delete old snapshots, `btrfs filesystem usage`), then run again: what is already there is reused"
            }
            EngineError::Digest { .. } | EngineError::Size { .. } => {
                "the bundle was built wrongly (`tiu-extract verify` tells), or memory or disk are failing (dmesg)"
            }
            EngineError::Read { source, .. } => {
                match source.get_ref().and_then(|cause| cause.downcast_ref::<VerityError>()) {
                    Some(damaged) => return damaged.hint(),
                    None => "check the bundle with `tiu-extract verify`",
                }
            }
            EngineError::Conflict { .. } => "move it elsewhere or unmount it, then run again",
            EngineError::NoReflink { .. } => "use a btrfs or xfs filesystem with reflink",
            EngineError::TooMany { .. } => "choose a directory that holds a system",
            EngineError::OtherIndex { .. } => "plan again",
            EngineError::Image(error) => return error.hint(),
            EngineError::Cancelled => "run again to complete",
        };
        Some(text.to_owned())
    }
}
