//! Inode flags (chattr(1)) that keep subvolumes and directories from being changed and deleted.

use super::error::SnapshotError;
use crate::host::Host;
use libbtrfsutil::{is_subvolume, set_subvolume_read_only, subvolume_read_only};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use rustix::io::Errno;
use std::io;
use std::path::Path;
use tiu_system::inode_flags;

/// Clears the flags of the directory at `path` that stop changes (immutable, append-only). A
/// read-only subvolume becomes read-write for that.
pub(crate) fn unlock(path: &Path) -> Result<(), SnapshotError> {
    let failed = |source: io::Error| SnapshotError::Btrfs {
        what: "clearing the inode flags of",
        path: path.to_owned(),
        source,
    };
    let options = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, options, Mode::empty()).map_err(|e| failed(e.into()))?;
    if inode_flags::blocking(&directory).map_err(|e| failed(e.into()))?.is_empty() {
        return Ok(());
    }
    if is_subvolume(path).unwrap_or(false) && subvolume_read_only(path).unwrap_or(false) {
        set_subvolume_read_only(path, false).map_err(|e| failed(io::Error::other(e)))?;
    }
    inode_flags::clear(&directory).map(drop).map_err(|e| failed(e.into()))
}

/// Clears the flags of snapper's entry of snapshot `number`: the directory that holds the snapshot,
/// and the files in it. snapper replaces and removes those.
pub(crate) fn unlock_entry(host: &Host, number: u32) -> Result<(), SnapshotError> {
    let path = host.root().join(".snapshots").join(number.to_string());
    let failed = |e: Errno| SnapshotError::Btrfs {
        what: "clearing the inode flags in",
        path: path.clone(),
        source: e.into(),
    };
    let options = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let name = number.to_string();
    let directory = match openat(host.snapshots_fd(), name, options | OFlags::DIRECTORY, Mode::empty()) {
        Ok(directory) => directory,
        // Nothing to unlock.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    inode_flags::clear(&directory).map_err(failed)?;
    for entry in Dir::read_from(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Others have no flags, or cannot be opened without an effect.
        if entry.file_type() == FileType::RegularFile {
            let file = openat(&directory, entry.file_name(), options, Mode::empty());
            file.and_then(|file| inode_flags::clear(file).map(drop)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Clears the flags of the file or directory at `path`, and of all below it. Follows no symlink.
pub(crate) fn unlock_below(path: &Path) -> io::Result<()> {
    let kind = path.symlink_metadata()?.file_type();
    if !kind.is_dir() && !kind.is_file() {
        return Ok(());
    }
    let options = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    inode_flags::clear(rustix::fs::open(path, options, Mode::empty())?)?;
    if kind.is_dir() {
        for entry in path.read_dir()? {
            unlock_below(&entry?.path())?;
        }
    }
    Ok(())
}
