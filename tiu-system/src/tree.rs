//! Single files of a system's tree, read and written without trusting the tree: relative to its directory descriptor, never through a
//! symlink, never out of it, and never more than a limit.

use crate::Hint;
use crate::beneath::{Beneath, open_in_root};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file of a tree that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct TreeError {
    /// Path, with the tree's own in front.
    pub path: PathBuf,
    /// Cause.
    pub source: io::Error,
}

impl Hint for TreeError {
    fn hint(&self) -> Option<String> {
        Some(match Errno::from_io_error(&self.source) {
            Some(Errno::LOOP) => {
                "a symlink lies on the way, which tiu does not follow: look at what is there".into()
            }
            Some(Errno::NOSPC) => {
                "free some space: delete snapshots that are no longer needed (tiu list)".into()
            }
            _ => "see whether tiu runs as root and the disk is well (dmesg)".into(),
        })
    }
}

/// What a file has beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Extended attributes, names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A directory with a system in it.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    fd: OwnedFd,
}

impl Tree {
    /// The tree at `path`, which may itself be reached through symlinks.
    pub fn open(path: &Path) -> Result<Self, TreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Tree { path: path.to_owned(), fd }),
            Err(e) => Err(TreeError { path: path.to_owned(), source: e.into() }),
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn error(&self, path: &str, source: impl Into<io::Error>) -> TreeError {
        TreeError { path: self.path.join(path), source: source.into() }
    }

    fn open_at(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        // A fifo must not stop us.
        let wait = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK };
        Beneath::new(self.fd()).open(path.as_bytes(), flags | wait)
    }

    /// A regular file, or `None` where there is nothing (or a parent is missing).
    pub fn file(&self, path: &str) -> Result<Option<File>, TreeError> {
        let fd = match self.open_at(path, OFlags::RDONLY) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.error(path, e)),
        };
        let file = File::from(fd);
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(file)),
            Ok(_) => Err(self.error(path, io::Error::other("not a regular file"))),
            Err(e) => Err(self.error(path, e)),
        }
    }

    /// Content of a regular file of at most `limit` bytes, or `None` where there is nothing.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(file) = self.file(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| self.error(path, e))?;
        match bytes.len() as u64 > limit {
            true => Err(self.error(path, io::Error::other(format!("larger than {limit} bytes")))),
            false => Ok(Some(bytes)),
        }
    }

    /// Like [`read`](Self::read), lossily as text.
    pub fn read_text(&self, path: &str, limit: u64) -> Result<Option<String>, TreeError> {
        Ok(self.read(path, limit)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// `lstat`, or `None` where there is nothing or a symlink lies on the way.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = self.open_at(parent, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    /// Whether there is anything at `path`, reached as a program of this system would: symlinks lead within the tree.
    pub fn has(&self, path: &str) -> bool {
        self.follow(Path::new(path)).is_ok()
    }

    /// What is at `path`, reached as a program of this system would.
    fn follow(&self, path: &Path) -> Result<OwnedFd, Errno> {
        open_in_root(self.fd(), path.as_os_str().as_bytes(), OFlags::PATH)
    }

    /// Where `path` really is, as a program of this system would find it: symlinks lead within the tree, absolute ones too. What cannot
    /// be reached is given as it is, for whoever opens it to say why.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        let real = self
            .follow(path)
            .ok()
            .and_then(|fd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok());
        real.unwrap_or_else(|| self.path.join(path))
    }

    /// The directory at `path`.
    pub fn directory(&self, path: &str) -> Result<OwnedFd, TreeError> {
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| self.error(path, e))
    }

    /// Target of the symlink at `path`, or `None` where there is nothing or something else.
    pub fn link(&self, path: &str) -> Option<Vec<u8>> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = self.open_at(parent, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        Some(rustix::fs::readlinkat(parent, name, Vec::new()).ok()?.into_bytes())
    }

    /// Writes a file (mode 0644) whole: a crash leaves the old one or the new one, or a hidden temporary file beside.
    pub fn write(&self, path: &str, mut content: impl Read) -> Result<(), TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let temporary = format!(".{name}.tiu-new");
        let directory = self.directory(parent)?;
        let mut write = || -> io::Result<()> {
            let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(&directory, &temporary, flags, Mode::from_raw_mode(0o644))?;
            let mut file = File::from(fd);
            io::copy(&mut content, &mut file)?;
            file.flush()?;
            // Whatever the umask.
            rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
            Ok(rustix::fs::renameat(&directory, &temporary, &directory, name)?)
        };
        write().map_err(|e| self.error(path, e))
    }

    /// Writes new content for a regular file, whole, with the mode, owner and extended attributes that it has; where there is none, with
    /// `new`. A crash leaves the old one or the new one, or a hidden temporary file beside.
    pub fn replace(&self, path: &str, content: &[u8], new: &Attributes) -> Result<(), TreeError> {
        let old = self.file(path)?;
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let temporary = format!(".{name}.tiu-new");
        let directory = self.directory(parent)?;
        let write = || -> io::Result<()> {
            let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            // Nobody else reads it before it is what it must be.
            let mut file =
                File::from(rustix::fs::openat(&directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(content)?;
            let attributes = match &old {
                Some(old) => Attributes::of(old)?,
                None => new.clone(),
            };
            let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
            rustix::fs::fchown(&file, Some(uid), Some(gid))?;
            for (name, value) in &attributes.xattrs {
                rustix::fs::fsetxattr(&file, &name[..], value, XattrFlags::empty())?;
            }
            rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))?;
            Ok(rustix::fs::renameat(&directory, &temporary, &directory, name)?)
        };
        write().map_err(|e| self.error(path, e))
    }

    /// Makes a symlink, in place of what is there (but not of a directory).
    pub fn symlink(&self, path: &str, target: &str) -> Result<(), TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let temporary = format!(".{name}.tiu-new");
        let directory = self.directory(parent)?;
        let make = || -> Result<(), Errno> {
            let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
            rustix::fs::symlinkat(target, &directory, &temporary)?;
            rustix::fs::renameat(&directory, &temporary, &directory, name)
        };
        make().map_err(|e| self.error(path, e))
    }
}

impl Attributes {
    fn of(file: &File) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        let xattrs = xattrs(file)?;
        Ok(Attributes { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, xattrs })
    }
}

/// Extended attributes of a file: those that security modules gave it, too.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/file"), "content").unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        (dir, tree)
    }

    #[test]
    fn reads_within_limits() {
        let (_dir, tree) = tree();
        assert_eq!(tree.read("a/b/file", 7).unwrap().unwrap(), b"content");
        assert!(tree.read("a/b/file", 6).unwrap_err().to_string().contains("larger than 6 bytes"));
        assert!(tree.read("a/x/file", 7).unwrap().is_none());
        assert!(tree.read("a/b", 7).is_err());
    }

    #[test]
    fn a_symlink_on_the_way_is_not_followed() {
        let (dir, tree) = tree();
        symlink("/etc/passwd", dir.path().join("link")).unwrap();
        symlink("a", dir.path().join("dir")).unwrap();
        for path in ["link", "dir/b/file", "../x"] {
            assert!(tree.read(path, 1 << 20).is_err(), "{path}");
        }
        assert!(tree.stat("dir/b/file").is_none());
        assert!(tree.stat("link").is_some());
        assert_eq!(tree.link("link").unwrap(), b"/etc/passwd");
    }

    #[test]
    fn looking_for_a_program_follows_symlinks_within_the_tree() {
        let (dir, tree) = tree();
        symlink("/a/b", dir.path().join("bin")).unwrap();
        symlink("/../../../a/b/file", dir.path().join("a/up")).unwrap();
        assert!(tree.has("bin/file"));
        assert!(tree.has("a/up"));
        assert!(!tree.has("bin/passwd"));
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(tree.resolve(Path::new("a/up")), real.join("a/b/file"));
        assert_eq!(tree.resolve(Path::new("bin/none")), dir.path().join("bin/none"));
    }

    #[test]
    fn writing_replaces_a_symlink_instead_of_following_it() {
        let (dir, tree) = tree();
        let outside = dir.path().join("outside");
        std::fs::write(&outside, "safe").unwrap();
        symlink(&outside, dir.path().join("a/new")).unwrap();
        tree.write("a/new", &b"written"[..]).unwrap();
        assert_eq!(std::fs::read(&outside).unwrap(), b"safe");
        assert_eq!(tree.read("a/new", 100).unwrap().unwrap(), b"written");
        tree.symlink("a/new", "b/file").unwrap();
        assert_eq!(tree.link("a/new").unwrap(), b"b/file");
        assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 2);
    }

    #[test]
    fn new_content_keeps_mode_owner_and_attributes() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let (dir, tree) = tree();
        let path = dir.path().join("a/b/file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        rustix::fs::setxattr(&path, "user.label", b"kept", XattrFlags::empty()).unwrap();
        let before = path.metadata().unwrap();
        let (uid, gid) = (before.uid(), before.gid());
        let attributes =
            Attributes { mode: 0o600, uid, gid, xattrs: vec![(b"user.new".into(), b"1".into())] };
        tree.replace("a/b/file", b"new", &attributes).unwrap();
        let after = path.metadata().unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        let mut value = [0; 9];
        assert_eq!(rustix::fs::getxattr(&path, "user.label", &mut value[..]).unwrap(), 4);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        tree.replace("a/b/none", b"", &attributes).unwrap();
        assert_eq!(rustix::fs::getxattr(dir.path().join("a/b/none"), "user.new", &mut value[..]).unwrap(), 1);
        assert_eq!(dir.path().join("a/b/none").metadata().unwrap().mode() & 0o7777, 0o600);
        assert!(tree.replace("a/b", b"", &attributes).is_err());
    }
}
