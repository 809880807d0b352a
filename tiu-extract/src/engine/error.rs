//! The errors of the engine: each names the path, the operation, and what to do next.

use crate::image::ImageError;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::hash_tree::VerityError;
use tiu_bundle::index::{IndexError, Kind};
use tiu_system::errno;
use tiu_system::hints;
use tiu_system::progress::Cancelled;
use tiu_system::text::printable_path;

/// The operation that gives an inode another name.
pub(crate) const HARD_LINK: &str = "make the hard link";
/// The operation that gives an inode its name.
pub(crate) const RENAME: &str = "rename into place";

/// A run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Of the fields, those have documentation whose names do not say all.
pub enum EngineError {
    /// A system call on a path of the target or of a seed failed.
    #[error("cannot {operation} {}: {source}", printable_path(path))]
    Io {
        /// The operation as a verb: `open`, `change the owner of`, ...
        operation: &'static str,
        /// Relative to the target (`.` is the target itself) or, for seeds, as it was given.
        path: PathBuf,
        source: io::Error,
    },
    /// The filesystem is full.
    #[error(
        "no space left on the filesystem of the target while writing {}: {free} bytes are free, about {missing} more are needed",
        printable_path(path)
    )]
    NoSpace {
        path: PathBuf,
        /// Free bytes, as the filesystem reports them.
        free: u64,
        /// Bytes that are still to be written, less those that are free.
        missing: u64,
    },
    /// The filesystem has no room, although it has free bytes.
    #[error(
        "cannot {operation} {}: no space left on the filesystem of the target, although {free} bytes are free and \
         about {needed} are still to be written",
        printable_path(path)
    )]
    NoMetadataSpace {
        /// The operation as a verb.
        operation: &'static str,
        path: PathBuf,
        /// Free bytes, as the filesystem reports them.
        free: u64,
        /// Bytes that are still to be written.
        needed: u64,
    },
    /// The content that was read back differs from the index.
    #[error(
        "{}: the content that was written has digest {found}, the index says {expected}",
        printable_path(path)
    )]
    Digest { path: PathBuf, found: Digest, expected: Digest },
    /// Content read from the image is longer or shorter than the index says.
    #[error("{}: the image holds {} bytes, its index says {expected}", printable_path(path), bytes_read(*found, *expected))]
    Size {
        path: PathBuf,
        /// Bytes that were read; reading stops soon after the expected size is exceeded.
        found: u64,
        expected: u64,
    },
    /// Reading a file's content from the image failed.
    #[error("cannot read {} from the image: {source}", printable_path(path))]
    Read { path: PathBuf, source: io::Error },
    /// The filesystem cannot read a file that is the host's.
    #[error("cannot read {}, which belongs to the host: {source}", printable_path(path))]
    Unreadable { path: PathBuf, source: io::Error },
    /// Metadata of the target is damaged. A change near it could make the filesystem stop writing.
    #[error("the filesystem cannot read {} ({what}): the directory cannot be changed safely", path.display())]
    Damaged {
        path: PathBuf,
        /// The part that cannot be read, with the error.
        what: String,
    },
    /// An index cannot describe the host's part of a tree.
    #[error("the host's files cannot be carried over: {0}")]
    Carry(IndexError),
    /// A directory must become something else, but it holds something that belongs to the host.
    #[error(
        "{} is a directory and becomes a {expected} in the image, but it contains {}, which must not be \
         removed",
        printable_path(path),
        printable_path(held)
    )]
    Conflict {
        path: PathBuf,
        /// The kind that the image has at this path.
        expected: Kind,
        /// The mount point, nested subvolume, host path or kept path below it.
        held: PathBuf,
    },
    /// [`Reflink::Required`](super::Reflink::Required), and the filesystem cannot share blocks.
    #[error(
        "the filesystem of the target cannot share blocks between files (reflink of {} failed: {source})",
        printable_path(path)
    )]
    NoReflink { path: PathBuf, source: io::Error },
    /// More entries than can be counted.
    #[error("the target has more than {limit} entries")]
    TooMany { limit: u64 },
    /// The plan was made for another index.
    #[error("the plan was made for an index of {expected} entries, this one has {found}")]
    OtherIndex {
        /// Entries in the index of the job.
        found: usize,
        /// Entries in the index that the plan was made for.
        expected: usize,
    },
    /// The image failed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl EngineError {
    /// Returns an [`EngineError::Io`] for a path of bytes; the empty path is shown as `.`.
    pub(crate) fn io(operation: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        EngineError::Io { operation, path: shown(path), source: source.into() }
    }
}

/// Returns the size of a file of which `found` bytes were read: reading ends soon after a file
/// proves too long.
pub(crate) fn bytes_read(found: u64, expected: u64) -> String {
    if found > expected { format!("more than {expected}") } else { found.to_string() }
}

/// Returns a path for an error message.
pub(crate) fn shown(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    match path {
        [] => PathBuf::from("."),
        path => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
    }
}

hints! { EngineError {
    forward Image;
    cancelled Cancelled;
    Io { operation, source, .. } => io_hint(operation, source).map(str::to_owned),
    NoSpace { .. } => {
        "free some space (delete old snapshots, see `btrfs filesystem usage`), then run again: files that \
         are already written are reused"
    },
    NoMetadataSpace { operation, .. } if operation.contains("extended attribute") => {
        "btrfs keeps the extended attributes of a file in a block of metadata, 16 KiB as a rule: an \
         attribute of the image may be larger; otherwise btrfs has no room for metadata: see `btrfs \
         filesystem usage`, then `btrfs balance start -dusage=20`"
    },
    NoMetadataSpace { .. } => {
        "btrfs has no room for metadata: see `btrfs filesystem usage`, then `btrfs balance start -dusage=20`, or \
         delete old snapshots"
    },
    Digest { .. } | Size { .. } => {
        "the bundle was built wrongly (check it with `tiu-extract verify`), or memory or disk are failing (dmesg)"
    },
    Read { source, .. } => match source.get_ref().and_then(|cause| cause.downcast_ref::<VerityError>()) {
        Some(damaged) => damaged.hint(),
        None => Some("check the bundle with `tiu-extract verify`".to_owned()),
    },
    Unreadable { .. } => {
        "its blocks are damaged (dmesg, `btrfs scrub`): restore it from a backup or another snapshot, or remove \
         it, then run again"
    },
    Damaged { .. } => {
        "extract into a new directory; `btrfs scrub start` finds all damage, and repairs what it has a \
         good copy of"
    },
    Carry(_) => "move that path out of the snapshot, then run again",
    Conflict { .. } => "move it elsewhere or unmount it, then run again",
    NoReflink { .. } => "use a btrfs or xfs filesystem with reflink",
    TooMany { .. } => "choose a directory that holds a system",
    OtherIndex { .. } => "plan again",
    Cancelled(_) => "run again to complete",
} }

/// Returns the hint for an error of a system call on the target or a seed.
fn io_hint(operation: &str, error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::PERM | Errno::ACCESS => {
            "owners, devices and trusted attributes need root: run as root, or extract with --no-owner; as root, \
             look for the immutable or append-only flag: `lsattr -d` shows it, `chattr -i -a` removes it"
        }
        Errno::ROFS => "the target is read-only: make it writable first",
        Errno::LOOP => "the path has a symlink: the target was changed while it was being read; run again",
        Errno::NOENT => "the target was changed while it was being read: run again",
        // Nothing else of what has two names leads into a mount.
        Errno::XDEV if operation == HARD_LINK || operation == RENAME => {
            "a btrfs subvolume begins between the two names, and a hard link cannot cross it: `btrfs \
             subvolume list -o` lists those inside; make it a directory, or have the image built without \
             that hard link"
        }
        Errno::XDEV | Errno::BUSY => {
            "something is mounted there (`findmnt` shows it): unmount it, or name it as a path of the host"
        }
        _ => return errno::hint(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::Hint;

    #[test]
    fn a_mount_and_a_subvolume_in_the_way_have_hints_of_their_own() {
        let hint = |operation, errno: Errno| EngineError::io(operation, b"etc/x", errno).hint().unwrap();
        for operation in [HARD_LINK, RENAME] {
            let found = hint(operation, Errno::XDEV);
            assert!(found.contains("subvolume") && !found.contains("mounted"), "{found}");
        }
        for (operation, errno) in [("open", Errno::XDEV), ("remove", Errno::BUSY), (RENAME, Errno::BUSY)] {
            let found = hint(operation, errno);
            assert!(found.contains("mounted") && !found.contains("subvolume"), "{found}");
        }
    }
}
