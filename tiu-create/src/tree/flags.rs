//! Inode flags (chattr(1)) that an image does not keep.

use rustix::fs::{IFlags, ioctl_getflags};
use std::os::fd::AsFd;

/// A flag that somebody set on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flag {
    /// Its letter in chattr(1).
    pub letter: char,
    /// Its name.
    pub name: &'static str,
}

/// The flags that are looked for. The filesystem sets others by itself.
pub(crate) const FLAGS: [(IFlags, Flag); 10] = [
    (IFlags::IMMUTABLE, Flag { letter: 'i', name: "immutable" }),
    (IFlags::APPEND, Flag { letter: 'a', name: "append-only" }),
    (IFlags::NOCOW, Flag { letter: 'C', name: "no copy on write" }),
    (IFlags::COMPRESSED, Flag { letter: 'c', name: "compressed" }),
    (IFlags::NODUMP, Flag { letter: 'd', name: "no dump" }),
    (IFlags::NOATIME, Flag { letter: 'A', name: "no access time" }),
    (IFlags::SYNC, Flag { letter: 'S', name: "synchronous" }),
    (IFlags::DIRSYNC, Flag { letter: 'D', name: "synchronous directory" }),
    (IFlags::SECURE_REMOVAL, Flag { letter: 's', name: "secure deletion" }),
    (IFlags::UNRM, Flag { letter: 'u', name: "undeletable" }),
];

/// Returns the flags of an open file or directory. A filesystem without flags has none.
pub(crate) fn lost_flags(inode: impl AsFd) -> IFlags {
    let all = FLAGS.iter().fold(IFlags::empty(), |all, (flag, _)| all | *flag);
    ioctl_getflags(inode).unwrap_or(IFlags::empty()) & all
}
