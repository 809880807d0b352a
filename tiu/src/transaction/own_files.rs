//! The client's own directory in the new snapshot. Unknown files there, from a tampered base or an
//! interrupted write, are removed.

use crate::snapshots::flags::unlock_below;
use rustix::fs::{AtFlags, Dir};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tiu_bundle::places::{CMS_PATH, INDEX_PATH, PRISTINE_ETC_PATH, STATE_DIR};
use tiu_system::path::TreePath;
use tiu_system::tree::{Tree, TreeError};

/// Removes everything in the directory except the manifest and the index, which fill replaces, and
/// the copy of `/etc`, which the engine makes right.
pub(super) fn clear(tree: &Tree) -> Result<(), TreeError> {
    let failed = |e: std::io::Error| TreeError { path: tree.path().join(STATE_DIR), source: e };
    let directory = tree.directory(STATE_DIR)?;
    let entries = Dir::read_from(&directory).map_err(|e| failed(e.into()))?;
    let names: Result<Vec<_>, Errno> =
        entries.map(|entry| entry.map(|entry| entry.file_name().to_owned())).collect();
    let names = names.map_err(|e| failed(e.into()))?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        let bytes = name.to_bytes();
        let path = [STATE_DIR.as_bytes(), b"/", bytes].concat();
        let is = |own: &TreePath| own.as_bytes() == path;
        // Through the descriptor, so that no symlink of the old tree leads elsewhere.
        let place =
            PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(OsStr::from_bytes(bytes));
        let is_dir = place.symlink_metadata().is_ok_and(|found| found.is_dir());
        if is(PRISTINE_ETC_PATH) && is_dir {
            continue;
        }
        unlock_below(&place).map_err(failed)?;
        // Each update writes all of them again. What fill replaces can stay.
        if (is(INDEX_PATH) || is(CMS_PATH)) && !is_dir {
            continue;
        }
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => std::fs::remove_dir_all(&place).map_err(failed)?,
            Err(e) => return Err(failed(e.into())),
        }
    }
    Ok(())
}
