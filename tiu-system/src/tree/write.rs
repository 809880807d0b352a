//! Writes single files. A file gets its name when it is complete: a crash leaves the old file or
//! the new one, and possibly a hidden temporary file next to it, which the next write of the same
//! file removes.

use super::{Tree, TreeError};
use crate::path::TreePath;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

/// The attributes of a file in addition to its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Extended attributes, names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Tree {
    /// Writes a file with mode 0644.
    pub fn write(&self, path: impl AsRef<[u8]>, content: impl Read) -> Result<(), TreeError> {
        self.write_with(self.inside(&path)?, content, Mode::from_raw_mode(0o644))
    }

    /// Writes a file with mode 0600. Nobody else can read it at any moment.
    pub fn write_private(&self, path: impl AsRef<[u8]>, content: impl Read) -> Result<(), TreeError> {
        self.write_with(self.inside(&path)?, content, Mode::RUSR | Mode::WUSR)
    }

    fn write_with(&self, path: &TreePath, mut content: impl Read, mode: Mode) -> Result<(), TreeError> {
        self.put(path, |directory, name| {
            let mut file = create(directory, name, mode)?;
            io::copy(&mut content, &mut file)?;
            file.flush()?;
            // Regardless of the umask.
            Ok(rustix::fs::fchmod(&file, mode)?)
        })
    }

    /// Writes new content for a regular file, with the mode, owner and extended attributes that it
    /// has. A file that does not exist gets `new`.
    pub fn replace(&self, path: impl AsRef<[u8]>, content: &[u8], new: &Attributes) -> Result<(), TreeError> {
        let path = self.inside(&path)?;
        let old = self.file(path)?;
        self.put(path, |directory, name| {
            // Nobody else reads the file before it has its owner and mode.
            let mut file = create(directory, name, Mode::RUSR | Mode::WUSR)?;
            file.write_all(content)?;
            let attributes = match &old {
                Some(old) => Attributes::read(old)?,
                None => new.clone(),
            };
            attributes.write(&file)
        })
    }

    /// Makes a symbolic link. It replaces what exists at `path`, except a directory.
    pub fn symlink(&self, path: impl AsRef<[u8]>, target: &str) -> Result<(), TreeError> {
        self.put(self.inside(&path)?, |directory, name| Ok(rustix::fs::symlinkat(target, directory, name)?))
    }

    /// Makes something with `make` under a temporary name, then renames it to `path`.
    fn put(
        &self,
        path: &TreePath,
        make: impl FnOnce(&OwnedFd, &OsStr) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(self.error(path, Errno::ISDIR));
        };
        let name = OsStr::from_bytes(name);
        let temporary: OsString = [OsStr::new("."), name, OsStr::new(".tiu-new")].into_iter().collect();
        let directory = self.directory(parent)?;
        let put = || -> io::Result<()> {
            let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
            make(&directory, &temporary)?;
            Ok(rustix::fs::renameat(&directory, &temporary, &directory, name)?)
        };
        put().map_err(|e| self.error(path, e))
    }
}

fn create(directory: &OwnedFd, name: &OsStr, mode: Mode) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(directory, name, flags, mode)?))
}

impl Attributes {
    /// Returns the attributes of an open file.
    pub fn read(file: &File) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        let xattrs = xattrs(file)?;
        Ok(Attributes { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, xattrs })
    }

    /// Gives an open file these attributes.
    pub fn write(&self, file: &File) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        rustix::fs::fchown(file, Some(uid), Some(gid))?;
        for (name, value) in &self.xattrs {
            rustix::fs::fsetxattr(file, &name[..], value, XattrFlags::empty())?;
        }
        Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode))?)
    }
}

/// Returns the extended attributes of a file, those of security modules included.
fn xattrs(file: &File) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    // XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h.
    let mut names = vec![0u8; 64 << 10];
    let length = match rustix::fs::flistxattr(file, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let mut value = vec![0u8; 64 << 10];
    let mut all = Vec::new();
    for name in names.get(..length).unwrap_or_default().split(|c| *c == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
        all.push((name.to_vec(), value.get(..length).unwrap_or_default().to_vec()));
    }
    Ok(all)
}
