//! tiu's own directory on a host, `.snapshots/.tiu`, for data that must not belong to a snapshot.
//!
//! It lies in the subvolume of the snapshots, which is mounted wherever tiu works, and which no
//! rollback changes. Only root can enter it. snapper lists names that are numbers, so it ignores
//! this one.

use super::error::HostError;
use super::open::Host;
use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// Name of the directory in `.snapshots`.
pub(super) const HOME: &str = ".tiu";

impl Host {
    /// Returns the path of a file in tiu's own directory, for messages.
    pub(crate) fn home_path(&self, name: &str) -> PathBuf {
        self.root().join(".snapshots").join(HOME).join(name)
    }

    /// Opens tiu's own directory, or returns `None` if it does not exist.
    pub(crate) fn home(&self) -> Result<Option<OwnedFd>, HostError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(self.snapshots_fd(), HOME, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(self.not_ours("", "not a directory")),
            Err(e) => Err(HostError::Io { path: self.home_path(""), source: e.into() }),
        }
    }

    /// Opens tiu's own directory, and makes it if it does not exist. Afterwards only root can enter
    /// it. A crash leaves an empty directory.
    pub(crate) fn make_home(&self) -> Result<OwnedFd, HostError> {
        match mkdirat(self.snapshots_fd(), HOME, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => {
                let path = self.root().join(".snapshots");
                return Err(HostError::NotWritable { path, source: e.into() });
            }
        }
        let Some(home) = self.home()? else { return Err(self.not_ours("", "being removed")) };
        self.make_ours(&home, FileType::Directory, Mode::RWXU, "")?;
        Ok(home)
    }

    /// Checks that `fd`, which is `name` in tiu's own directory, has this type. Makes it root's
    /// alone.
    pub(super) fn make_ours(
        &self,
        fd: impl AsFd,
        kind: FileType,
        mode: Mode,
        name: &str,
    ) -> Result<Stat, HostError> {
        let io = |e: Errno| HostError::Io { path: self.home_path(name), source: e.into() };
        let stat = fstat(&fd).map_err(io)?;
        if FileType::from_raw_mode(stat.st_mode) != kind {
            return Err(self.not_ours(name, "not a regular file"));
        }
        if (stat.st_uid, stat.st_gid) != (0, 0) {
            fchown(&fd, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(io)?;
        }
        if Mode::from_raw_mode(stat.st_mode) != mode {
            fchmod(&fd, mode).map_err(io)?;
        }
        Ok(stat)
    }

    pub(super) fn not_ours(&self, name: &str, found: &'static str) -> HostError {
        let expected = if name.is_empty() { "a directory" } else { "a regular file" };
        HostError::Home { path: self.home_path(name), found, expected }
    }
}
