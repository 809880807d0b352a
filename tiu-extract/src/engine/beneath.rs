//! Every way into a tree: relative to its directory descriptor, never through a symlink, never into another mount.
//!
//! `openat2` with `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV` opens; what takes no such flags (rename, unlink, link,
//! mkdir) gets the descriptor of the parent, opened this way, and a single name.

use super::error::EngineError;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Longest path that is given to the kernel at once (`PATH_MAX` is 4096 with its NUL); longer ones are opened in steps.
const STEP: usize = 4000;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Opens `path` (relative; empty: `root` itself) below `root`.
pub(crate) fn open(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if path.len() <= STEP {
        let path = if path.is_empty() { b"." } else { path };
        return rustix::fs::openat2(root, path, flags, Mode::empty(), RESOLVE);
    }
    let mut at: Option<OwnedFd> = None;
    let mut rest = path;
    loop {
        let here = at.as_ref().map_or(root, |fd| fd.as_fd());
        if rest.len() <= STEP {
            return rustix::fs::openat2(here, rest, flags, Mode::empty(), RESOLVE);
        }
        let window = rest.get(..STEP).unwrap_or(rest);
        let cut = window.iter().rposition(|c| *c == b'/').ok_or(Errno::NAMETOOLONG)?;
        let (step, tail) = rest.split_at(cut);
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = rustix::fs::openat2(here, step, directory, Mode::empty(), RESOLVE)?;
        at = Some(next);
        rest = tail.get(1..).unwrap_or_default();
    }
}

/// Opens for reading without touching the access time where we may: reading must not make a snapshot differ.
pub(crate) fn open_quietly(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    match open(root, path, flags | OFlags::NOATIME) {
        Err(Errno::PERM) => open(root, path, flags),
        other => other,
    }
}

/// Metadata of `name` in `directory`, or of `directory` itself for the empty name.
pub(crate) fn stat(directory: BorrowedFd, name: &CStr) -> Result<Statx, Errno> {
    let empty = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | empty;
    rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS)
}

/// Device that an inode lies on; another one below a tree's root means a mount or, on btrfs, a nested subvolume.
pub(crate) fn device(stat: &Statx) -> (u32, u32) {
    (stat.stx_dev_major, stat.stx_dev_minor)
}

/// Whether something is mounted there (also a bind mount of the same filesystem).
pub(crate) fn is_mount_root(stat: &Statx) -> bool {
    stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// `/proc/self/fd/N` or `/proc/self/fd/N/NAME`: reaches an inode by descriptor where a system call takes only paths.
#[derive(Default)]
pub(crate) struct ProcPath(Vec<u8>);

impl ProcPath {
    /// The inode behind `fd`, of any kind. Calls must follow symlinks, and reach exactly this inode.
    pub fn of(&mut self, fd: BorrowedFd) -> &CStr {
        self.build(fd, None)
    }

    /// `name` in `directory`. Calls must not follow symlinks.
    pub fn within(&mut self, directory: BorrowedFd, name: &CStr) -> &CStr {
        self.build(directory, Some(name))
    }

    fn build(&mut self, fd: BorrowedFd, name: Option<&CStr>) -> &CStr {
        self.0.clear();
        // Writing to a vector does not fail.
        let _ = write!(self.0, "/proc/self/fd/{}", fd.as_raw_fd());
        if let Some(name) = name {
            self.0.push(b'/');
            self.0.extend_from_slice(name.to_bytes());
        }
        self.0.push(0);
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// A path's parent and last name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|c| *c == b'/') {
        Some(i) => (path.get(..i).unwrap_or_default(), path.get(i + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

/// The directory that was opened last: neighbours in a list mostly share their parent.
pub(crate) struct Parents<'a> {
    root: BorrowedFd<'a>,
    last: Option<Arc<Parent>>,
}

/// An open directory.
pub(crate) struct Parent {
    path: Vec<u8>,
    fd: OwnedFd,
    /// Whether what is made in it gets an ACL that is not its own.
    pub default_acl: bool,
}

impl Parent {
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<'a> Parents<'a> {
    pub fn new(root: BorrowedFd<'a>) -> Self {
        Parents { root, last: None }
    }

    /// The directory that `path` lies in, and its name there.
    pub fn of(&mut self, path: &[u8]) -> Result<(Arc<Parent>, CString), EngineError> {
        let (parent, name) = split(path);
        let name = CString::new(name).map_err(|e| EngineError::io("use the name", path, e))?;
        if let Some(last) = &self.last
            && last.path == parent
        {
            return Ok((last.clone(), name));
        }
        let fd = open(self.root, parent, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| EngineError::io("open the directory", parent, e))?;
        let default_acl = super::xattr::has_default_acl(fd.as_fd());
        let opened = Arc::new(Parent { path: parent.to_vec(), fd, default_acl });
        self.last = Some(opened.clone());
        Ok((opened, name))
    }

    /// Forgets the directory, so that it is not used after it was removed or replaced.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

/// Beginning of every name that a run makes for the time until a file is complete.
const TEMPORARY_PREFIX: &[u8] = b".tiu-";

/// Whether a name is one of `TemporaryNames`.
pub fn is_temporary(name: &[u8]) -> bool {
    let Some((run, number)) = name.strip_prefix(TEMPORARY_PREFIX).and_then(|rest| rest.split_at_checked(16))
    else {
        return false;
    };
    let number = number.strip_prefix(b"-").unwrap_or_default();
    run.iter().all(u8::is_ascii_hexdigit) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// Names for files that are not complete yet: `.tiu-RUN-NUMBER`. A run that is killed leaves them; they are not in any index, so the next
/// run removes them.
#[derive(Clone)]
pub(crate) struct TemporaryNames(String);

impl TemporaryNames {
    /// Names that no earlier run used.
    pub fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        // The standard library's hasher is seeded by the kernel; no more than an unlikely collision is needed.
        let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
        TemporaryNames(format!("{}{number:016x}-", String::from_utf8_lossy(TEMPORARY_PREFIX)))
    }

    /// The name while entry `number` is made.
    pub fn name(&self, number: u32) -> CString {
        CString::new(format!("{}{number}", self.0)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_known_again() {
        let names = TemporaryNames::new();
        assert!(is_temporary(names.name(0).to_bytes()) && is_temporary(names.name(u32::MAX).to_bytes()));
        for other in [
            "",
            ".tiu-",
            ".tiu-0123456789abcdef-",
            ".tiu-0123456789abcdef-x",
            ".tiu-0123456789abcdeg-1",
            ".tiu-file",
        ] {
            assert!(!is_temporary(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn paths_are_split_at_their_last_slash() {
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }
}
