//! Inode flags that stop changes: immutable and append-only (chattr(1)).
//!
//! ```
//! use tiu_system::inode_flags;
//!
//! let file = tempfile::tempfile()?;
//! assert!(inode_flags::clear(&file)?.is_empty(), "a new file has none");
//! # Ok::<(), std::io::Error>(())
//! ```

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The flags that stop changes.
const BLOCKING: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);

/// Returns those of an open file or directory that stop changes. A filesystem without flags has
/// none.
pub fn blocking(inode: impl AsFd) -> Result<IFlags, Errno> {
    match ioctl_getflags(inode) {
        Ok(flags) => Ok(flags & BLOCKING),
        Err(Errno::NOTTY | Errno::OPNOTSUPP) => Ok(IFlags::empty()),
        Err(e) => Err(e),
    }
}

/// Clears the flags that stop changes, and returns those that were set.
pub fn clear(inode: impl AsFd) -> Result<IFlags, Errno> {
    let found = blocking(&inode)?;
    if !found.is_empty() {
        ioctl_setflags(&inode, ioctl_getflags(&inode)? - found)?;
    }
    Ok(found)
}

/// Sets flags that [`clear`] returned.
pub fn restore(inode: impl AsFd, cleared: IFlags) -> Result<(), Errno> {
    ioctl_setflags(&inode, ioctl_getflags(&inode)? | cleared)
}
