//! Reading a tree's metadata: every name once, with its extended attributes.

use super::error::ScanError;
use super::flags::lost_flags;
use super::model::{SourceNode, SourceTree, XattrList};
use super::open::Root;
use crate::rules::PackRules;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, OFlags, Stat, fgetxattr, flistxattr, fstat, lgetxattr, llistxattr, readlinkat, statat,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use tiu_bundle::index::{Kind, Mtime};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Unit, Watch};

/// Reads the metadata of everything that `rules` do not leave out unread.
///
/// Directories are opened one at a time by their path from the root's descriptor, never through a
/// symbolic link. The order of the result depends on the filesystem.
pub fn scan(root: &Root, rules: &PackRules, watch: Watch) -> Result<SourceTree, ScanError> {
    let scan = Scan { root, tree: SourceTree::default(), inodes: HashMap::new(), buffer: vec![0; 65536] };
    watch.phase("Reading the tree", 0, Unit::Items, || scan.run(rules, watch))
}

struct Scan<'a> {
    root: &'a Root,
    tree: SourceTree,
    /// Numbers of inodes that have several names.
    inodes: HashMap<(u64, u64), u32>,
    /// Buffer for the longest list of names or value of an extended attribute (xattr(7)).
    buffer: Vec<u8>,
}

impl Scan<'_> {
    fn run(mut self, rules: &PackRules, watch: Watch) -> Result<SourceTree, ScanError> {
        let stat = fstat(self.root.fd()).map_err(|e| io(b"", "reading the metadata", e))?;
        let xattrs = self.xattrs_of_fd(b"", self.root.fd())?;
        self.add(TreePath::ROOT, &stat, xattrs, None)?;
        let mut directories = vec![TreePathBuf::default()];
        while let Some(path) = directories.pop() {
            watch.check()?;
            let fd = match self.root.open_exactly(path.as_bytes(), OFlags::DIRECTORY) {
                Ok(fd) => fd,
                Err(Errno::XDEV) => {
                    self.tree.mounted.push(path.into_bytes());
                    continue;
                }
                Err(e) => return Err(io(path.as_bytes(), "opening the directory", e)),
            };
            let flags = lost_flags(&fd);
            if !flags.is_empty() {
                self.tree.directory_flags.push((path.as_bytes().to_vec(), flags));
            }
            let before = self.tree.nodes.len();
            self.directory(&path, &fd, rules, &mut directories)?;
            watch.advance((self.tree.nodes.len() - before) as u64);
        }
        Ok(self.tree)
    }

    fn directory(
        &mut self,
        path: &TreePath,
        fd: &OwnedFd,
        rules: &PackRules,
        directories: &mut Vec<TreePathBuf>,
    ) -> Result<(), ScanError> {
        let failed = |e| io(path.as_bytes(), "reading the directory", e);
        let entries = Dir::read_from(fd).map_err(failed)?;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let below = path.child(name.to_bytes()).map_err(|_| failed(Errno::INVAL))?;
            let child = below.as_bytes();
            let stat = statat(fd, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
                .map_err(|e| io(child, "reading the metadata", e))?;
            let target = match kind(child, &stat)? {
                Kind::Symlink => {
                    Some(readlinkat(fd, name, Vec::new()).map_err(|e| io(child, "reading the link", e))?)
                }
                _ => None,
            };
            // The last component is not followed; the ones before are a descriptor of ours.
            let magic = [format!("/proc/self/fd/{}/", fd.as_raw_fd()).as_bytes(), name.to_bytes()].concat();
            let xattrs = self.xattrs_of_path(child, &magic)?;
            self.add(&below, &stat, xattrs, target.as_deref().map(|target| target.to_bytes()))?;
            if kind(child, &stat)? == Kind::Dir && rules.descends(&below) {
                directories.push(below);
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        path: &TreePath,
        stat: &Stat,
        xattrs: u32,
        target: Option<&[u8]>,
    ) -> Result<(), ScanError> {
        let kind = kind(path.as_bytes(), stat)?;
        let inode = match kind {
            Kind::Dir => None,
            _ if stat.st_nlink > 1 => {
                let next = self.inodes.len() as u32;
                Some(*self.inodes.entry((stat.st_dev, stat.st_ino)).or_insert(next))
            }
            _ => None,
        };
        let mut name = |bytes: &[u8]| self.tree.names.add(bytes).ok_or(ScanError::TooManyNames);
        let path = name(path.as_bytes())?;
        let target = target.map(&mut name).transpose()?;
        self.tree.nodes.push(SourceNode {
            path,
            kind,
            mode: (stat.st_mode & 0o7777) as u16,
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: match kind {
                Kind::CharDev | Kind::BlockDev => stat.st_rdev,
                _ => 0,
            },
            size: match kind {
                Kind::File => u64::try_from(stat.st_size).unwrap_or(0),
                _ => 0,
            },
            mtime: mtime(stat),
            xattrs,
            target,
            inode,
        });
        Ok(())
    }

    fn xattrs_of_fd(&mut self, path: &[u8], fd: &OwnedFd) -> Result<u32, ScanError> {
        let fd = fd.as_fd();
        self.xattrs(path, |buffer| flistxattr(fd, buffer), |name, buffer| fgetxattr(fd, name, buffer))
    }

    fn xattrs_of_path(&mut self, path: &[u8], magic: &[u8]) -> Result<u32, ScanError> {
        self.xattrs(path, |buffer| llistxattr(magic, buffer), |name, buffer| lgetxattr(magic, name, buffer))
    }

    fn xattrs(
        &mut self,
        path: &[u8],
        list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
        get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
    ) -> Result<u32, ScanError> {
        let fail = |e| io(path, "reading the extended attributes", e);
        let names = match list(&mut self.buffer) {
            Ok(0) => return Ok(0),
            // The filesystem has no extended attributes.
            Err(Errno::OPNOTSUPP) => return Ok(0),
            other => self.buffer.get(..other.map_err(fail)?).unwrap_or_default().to_vec(),
        };
        let mut set: XattrList = Vec::new();
        for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
            match get(name, &mut self.buffer) {
                Ok(length) => {
                    set.push((name.to_vec(), self.buffer.get(..length).unwrap_or_default().to_vec()))
                }
                // Listed but not readable: what a filesystem shows of itself (`system.nfs4_acl` and
                // the like).
                Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
                Err(e) => return Err(fail(e)),
            }
        }
        set.sort();
        Ok(self.tree.xattrs.add(set))
    }
}

fn kind(path: &[u8], stat: &Stat) -> Result<Kind, ScanError> {
    Kind::from_mode(stat.st_mode)
        .ok_or_else(|| ScanError::UnknownType { path: path.to_vec(), mode: stat.st_mode })
}

/// Returns the modification time of `stat`.
pub(crate) fn mtime(stat: &Stat) -> Mtime {
    Mtime { sec: stat.st_mtime, nsec: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) }
}

fn io(path: &[u8], what: &'static str, error: Errno) -> ScanError {
    ScanError::Io { path: path.to_vec(), what, source: error.into() }
}
