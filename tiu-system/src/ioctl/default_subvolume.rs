//! The default subvolume of a btrfs: the one that is mounted if no subvolume is named.
//!
//! libbtrfsutil has both calls since its first version. Its Rust wrapper has them only since 0.8,
//! which needs a newer C library than some distributions have. They are therefore called here
//! directly. Source: btrfsutil.h.

use libbtrfsutil_sys as ffi;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Returns the id of the default subvolume of the filesystem that `fd` is on. Needs
/// `CAP_SYS_ADMIN`.
pub fn default_subvolume(fd: BorrowedFd) -> io::Result<u64> {
    let mut id = 0;
    // SAFETY: the descriptor is open for as long as `fd` is borrowed; `id` outlives the call, which
    // writes one u64.
    let result = unsafe { ffi::btrfs_util_get_default_subvolume_fd(fd.as_raw_fd(), &mut id) };
    errno(result)?;
    Ok(id)
}

/// Makes `id` (not 0) the default subvolume of the filesystem that `fd` is on. Needs
/// `CAP_SYS_ADMIN`.
///
/// The change is one item of the root tree: a crash leaves the old or the new default. A sync of
/// the filesystem makes it durable.
pub fn set_default_subvolume(fd: BorrowedFd, id: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `fd` is borrowed; the call takes no pointers.
    errno(unsafe { ffi::btrfs_util_set_default_subvolume_fd(fd.as_raw_fd(), id) })
}

/// libbtrfsutil leaves the cause in `errno`.
fn errno(result: ffi::btrfs_util_error::Type) -> io::Result<()> {
    match result {
        ffi::btrfs_util_error::BTRFS_UTIL_OK => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
