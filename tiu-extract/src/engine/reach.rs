//! One inode, reached in one of three ways: system calls on metadata differ in which ways they
//! accept.

use rustix::fs::{AtFlags, CWD, Gid, Mode, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;

/// The way to an inode. Paths are those of [`super::beneath::ProcPath`].
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// An open file.
    File(BorrowedFd<'a>),
    /// The path of a descriptor, which may be `O_PATH`. It works for every kind of inode, symlinks
    /// included. The path itself is a symlink of the kernel, which is followed.
    Descriptor(&'a CStr),
    /// The path of a directory and a name in it, which is not followed.
    Name(&'a CStr),
}

type Result<T> = std::result::Result<T, Errno>;

impl Reach<'_> {
    pub fn list_xattrs(&self, buf: &mut [u8]) -> Result<usize> {
        match self {
            Reach::File(fd) => rustix::fs::flistxattr(fd, buf),
            Reach::Descriptor(path) => rustix::fs::listxattr(*path, buf),
            Reach::Name(path) => rustix::fs::llistxattr(*path, buf),
        }
    }

    pub fn get_xattr(&self, name: &[u8], buf: &mut [u8]) -> Result<usize> {
        match self {
            Reach::File(fd) => rustix::fs::fgetxattr(fd, name, buf),
            Reach::Descriptor(path) => rustix::fs::getxattr(*path, name, buf),
            Reach::Name(path) => rustix::fs::lgetxattr(*path, name, buf),
        }
    }

    pub fn set_xattr(&self, name: &[u8], value: &[u8]) -> Result<()> {
        let flags = XattrFlags::empty();
        match self {
            Reach::File(fd) => rustix::fs::fsetxattr(fd, name, value, flags),
            Reach::Descriptor(path) => rustix::fs::setxattr(*path, name, value, flags),
            Reach::Name(path) => rustix::fs::lsetxattr(*path, name, value, flags),
        }
    }

    pub fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        match self {
            Reach::File(fd) => rustix::fs::fremovexattr(fd, name),
            Reach::Descriptor(path) => rustix::fs::removexattr(*path, name),
            Reach::Name(path) => rustix::fs::lremovexattr(*path, name),
        }
    }

    pub fn chown(&self, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
        match self {
            Reach::File(fd) => rustix::fs::fchown(fd, uid, gid),
            Reach::Descriptor(path) => rustix::fs::chownat(CWD, *path, uid, gid, AtFlags::empty()),
            Reach::Name(path) => rustix::fs::chownat(CWD, *path, uid, gid, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    /// Fails for [`Reach::Name`]: `fchmodat` always follows symlinks.
    pub fn chmod(&self, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            Reach::File(fd) => rustix::fs::fchmod(fd, mode),
            Reach::Descriptor(path) => rustix::fs::chmodat(CWD, *path, mode, AtFlags::empty()),
            Reach::Name(_) => Err(Errno::OPNOTSUPP),
        }
    }

    pub fn set_times(&self, times: &Timestamps) -> Result<()> {
        match self {
            Reach::File(fd) => rustix::fs::futimens(fd, times),
            Reach::Descriptor(path) => rustix::fs::utimensat(CWD, *path, times, AtFlags::empty()),
            Reach::Name(path) => rustix::fs::utimensat(CWD, *path, times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    pub fn mode(&self) -> Result<u32> {
        let stat = match self {
            Reach::File(fd) => rustix::fs::fstat(fd)?,
            Reach::Descriptor(path) => rustix::fs::statat(CWD, *path, AtFlags::empty())?,
            Reach::Name(path) => rustix::fs::statat(CWD, *path, AtFlags::SYMLINK_NOFOLLOW)?,
        };
        Ok(stat.st_mode & 0o7777)
    }
}
