//! tiu's own directory on a host, `.snapshots/.tiu`, for data that must not belong to a snapshot.
//!
//! It lies in the subvolume of the snapshots, which is mounted wherever tiu works, and which no
//! rollback changes. Only root can enter it. snapper lists names that are numbers, so it ignores
//! this one.

use super::error::HostError;
use super::open::Host;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, fsync, mkdirat, openat, renameat,
    unlinkat,
};
use rustix::io::Errno;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use tiu_system::inode_flags;

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
        // If that fails, the change that they prevent reports why.
        let _ = inode_flags::clear(&home);
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

    /// Replaces the file `name` in tiu's own directory by a JSON document. The caller holds the host's lock.
    ///
    /// After a crash, the file is the old one or the new one, whole.
    pub(super) fn replace_json_in_home(
        &self,
        name: &str,
        document: &impl Serialize,
    ) -> Result<(), HostError> {
        let failed = |e: serde_json::Error| HostError::Io { path: self.home_path(name), source: e.into() };
        let mut text = serde_json::to_vec_pretty(document).map_err(failed)?;
        text.push(b'\n');
        self.replace_in_home(name, &text)
    }

    fn replace_in_home(&self, name: &str, bytes: &[u8]) -> Result<(), HostError> {
        let new = format!(".{name}.new");
        let write = |home: &OwnedFd| -> io::Result<()> {
            remove_leftover(home, &new)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(home, &new, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(bytes)?;
            file.sync_all()?;
            release(home, name);
            renameat(home, &new, home, name)?;
            Ok(fsync(home)?)
        };
        let home = self.make_home()?;
        write(&home).map_err(|source| {
            let _ = unlinkat(&home, &new, AtFlags::empty());
            HostError::Io { path: self.home_path(name), source }
        })
    }

    pub(super) fn not_ours(&self, name: &str, found: &'static str) -> HostError {
        let expected = if name.is_empty() { "a directory" } else { "a regular file" };
        HostError::Home { path: self.home_path(name), found, expected }
    }
}

/// Removes the leftover `name` of an interrupted run, or whatever else has its name.
fn remove_leftover(home: &OwnedFd, name: &str) -> io::Result<()> {
    release(home, name);
    match unlinkat(home, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => unlinkat(home, name, AtFlags::REMOVEDIR).map_err(|e| {
            io::Error::new(io::Error::from(e).kind(), format!("{name} is in the way, a directory: {e}"))
        }),
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Clears the flags of a file that keep it from being replaced. If that fails, replacing it reports
/// why.
fn release(home: &OwnedFd, name: &str) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let _ = openat(home, name, flags, Mode::empty()).and_then(inode_flags::clear);
}
