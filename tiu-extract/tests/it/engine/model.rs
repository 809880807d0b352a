//! A tree as a test wants it: an index, an image that holds its content, and an oracle that looks
//! at a directory without the engine's help.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tiu_bundle::content_digest::digest_bytes;
use tiu_bundle::index::{Entry, Index, IndexWriter, Kind, Mtime};
use tiu_extract::{Image, ImageError};
use tiu_system::path::{TreePath, TreePathBuf};

pub const MTIME: Mtime = Mtime { sec: 1_600_000_000, nsec: 123_456_789 };

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File(Vec<u8>),
    Dir,
    Symlink(Vec<u8>),
    CharDev(u64),
    BlockDev(u64),
    Fifo,
    Socket,
    /// Another name of the inode at this path.
    Link(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    pub what: NodeKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Mtime,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A whole tree by path; the root is always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model(pub BTreeMap<Vec<u8>, Inode>);

impl Model {
    pub fn new() -> Self {
        let mut model = Model(BTreeMap::new());
        model.add("", NodeKind::Dir);
        model
    }

    pub fn add(&mut self, path: impl AsRef<[u8]>, what: NodeKind) -> &mut Inode {
        let path = path.as_ref();
        if let Some(slash) = path.iter().rposition(|c| *c == b'/')
            && !self.0.contains_key(&path[..slash])
        {
            self.add(&path[..slash], NodeKind::Dir);
        }
        let mode = match what {
            NodeKind::Dir => 0o755,
            NodeKind::Symlink(_) => 0o777,
            _ => 0o644,
        };
        let inode = Inode { what, mode, uid: 0, gid: 0, mtime: MTIME, xattrs: BTreeMap::new() };
        self.0.insert(path.to_vec(), inode);
        self.0.get_mut(path).unwrap()
    }

    pub fn file(&mut self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &mut Inode {
        self.add(path, NodeKind::File(content.as_ref().to_vec()))
    }

    pub fn dir(&mut self, path: impl AsRef<[u8]>) -> &mut Inode {
        self.add(path, NodeKind::Dir)
    }

    pub fn link(&mut self, path: impl AsRef<[u8]>, to: &str) {
        self.add(path, NodeKind::Link(to.into()));
    }

    pub fn get(&mut self, path: &str) -> &mut Inode {
        self.0.get_mut(path.as_bytes()).unwrap()
    }

    /// Removes a path with all below it.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.0.retain(|p, _| p != path.as_bytes() && !p.starts_with(below.as_bytes()));
    }

    /// The inode that `path` is a name of.
    pub fn inode(&self, path: &[u8]) -> (&[u8], &Inode) {
        let (path, inode) = self.0.get_key_value(path).unwrap();
        match &inode.what {
            NodeKind::Link(to) => self.inode(to),
            _ => (path, inode),
        }
    }

    /// All names of the inode that `path` is a name of, in order.
    pub fn names(&self, path: &[u8]) -> Vec<&[u8]> {
        let inode = self.inode(path).0;
        self.0.keys().map(Vec::as_slice).filter(|p| self.inode(p).0 == inode).collect()
    }

    pub fn index(&self) -> Index {
        let mut writer = IndexWriter::default();
        for path in self.0.keys() {
            let names = self.names(path);
            let inode = self.inode(path).1;
            let (kind, target, rdev, size, digest) = match &inode.what {
                NodeKind::File(content) => {
                    (Kind::File, None, 0, content.len() as u64, Some(digest_bytes(content)))
                }
                NodeKind::Dir => (Kind::Dir, None, 0, 0, None),
                NodeKind::Symlink(to) => (Kind::Symlink, Some(to.clone()), 0, to.len() as u64, None),
                NodeKind::CharDev(rdev) => (Kind::CharDev, None, *rdev, 0, None),
                NodeKind::BlockDev(rdev) => (Kind::BlockDev, None, *rdev, 0, None),
                NodeKind::Fifo => (Kind::Fifo, None, 0, 0, None),
                NodeKind::Socket => (Kind::Socket, None, 0, 0, None),
                NodeKind::Link(_) => unreachable!("resolved"),
            };
            let is_link = names[0] != path.as_slice();
            writer.push(Entry {
                path: TreePathBuf::new(path.clone()).unwrap().into(),
                kind: if is_link { Kind::HardLink } else { kind },
                mode: inode.mode,
                nlink: names.len() as u32,
                uid: inode.uid,
                gid: inode.gid,
                rdev,
                mtime: inode.mtime,
                size,
                target: target.map(Cow::Owned),
                link: is_link.then(|| TreePathBuf::new(names[0]).unwrap().into()),
                digest,
                xattrs: inode
                    .xattrs
                    .iter()
                    .map(|(n, v)| (Cow::Owned(n.clone()), Cow::Owned(v.clone())))
                    .collect(),
            });
        }
        Index::parse(writer.finish()).expect("the model gives a valid index")
    }

    pub fn image(&self) -> MemoryImage {
        let files = self.0.keys().filter_map(|path| match &self.inode(path).1.what {
            NodeKind::File(content) => Some((path.clone(), content.clone())),
            _ => None,
        });
        MemoryImage { files: files.collect(), opened: Mutex::new(Vec::new()), piece: usize::MAX }
    }

    /// Asserts that `dir` is exactly this tree, looking only with the standard library and xattr
    /// calls.
    pub fn assert_is(&self, dir: &Path) {
        let mut found: Vec<Vec<u8>> = Vec::new();
        list(dir, b"", &mut found);
        found.sort();
        let expected: Vec<Vec<u8>> = self.0.keys().cloned().collect();
        assert_eq!(text(&found), text(&expected), "names");
        let mut inodes: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for path in self.0.keys() {
            let (first, inode) = self.inode(path);
            let shown = String::from_utf8_lossy(path).into_owned();
            let full = at(dir, path);
            let stat = full.symlink_metadata().unwrap();
            let kind = stat.file_type();
            match &inode.what {
                NodeKind::File(content) => {
                    assert!(kind.is_file(), "{shown}: {kind:?}");
                    assert!(std::fs::read(&full).unwrap() == *content, "{shown}: content differs");
                }
                NodeKind::Dir => assert!(kind.is_dir(), "{shown}: {kind:?}"),
                NodeKind::Symlink(to) => {
                    assert_eq!(std::fs::read_link(&full).unwrap().as_os_str().as_bytes(), to, "{shown}");
                }
                NodeKind::CharDev(rdev) => assert!(kind.is_char_device() && stat.rdev() == *rdev, "{shown}"),
                NodeKind::BlockDev(rdev) => {
                    assert!(kind.is_block_device() && stat.rdev() == *rdev, "{shown}")
                }
                NodeKind::Fifo => assert!(kind.is_fifo(), "{shown}: {kind:?}"),
                NodeKind::Socket => assert!(kind.is_socket(), "{shown}: {kind:?}"),
                NodeKind::Link(_) => unreachable!("resolved"),
            }
            if !kind.is_symlink() {
                assert_eq!(
                    format!("{:o}", stat.mode() & 0o7777),
                    format!("{:o}", inode.mode),
                    "mode of {shown}"
                );
            }
            assert_eq!((stat.uid(), stat.gid()), (inode.uid, inode.gid), "owner of {shown}");
            assert_eq!(
                (stat.mtime(), stat.mtime_nsec()),
                (inode.mtime.sec, i64::from(inode.mtime.nsec)),
                "mtime of {shown}"
            );
            assert_eq!(xattrs(&full), inode.xattrs, "xattrs of {shown}");
            if !kind.is_dir() {
                assert_eq!(stat.nlink() as usize, self.names(path).len(), "number of names of {shown}");
                let ino = *inodes.entry(first.to_vec()).or_insert(stat.ino());
                assert_eq!(ino, stat.ino(), "inode of {shown}");
            }
        }
    }
}

fn text(paths: &[Vec<u8>]) -> Vec<String> {
    paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

pub fn at(dir: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { dir.to_owned() } else { dir.join(OsStr::from_bytes(path)) }
}

fn list(dir: &Path, prefix: &[u8], found: &mut Vec<Vec<u8>>) {
    found.push(prefix.to_vec());
    for entry in std::fs::read_dir(at(dir, prefix)).unwrap() {
        let entry = entry.unwrap();
        let mut path = prefix.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(entry.file_name().as_bytes());
        if entry.file_type().unwrap().is_dir() {
            list(dir, &path, found);
        } else {
            found.push(path);
        }
    }
}

pub fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0u8; 65536];
    let n = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut all = BTreeMap::new();
    for name in names[..n].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0u8; 65536];
        let n = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        all.insert(name.to_vec(), value[..n].to_vec());
    }
    all
}

/// An image in memory that remembers what was read.
pub struct MemoryImage {
    pub files: BTreeMap<Vec<u8>, Vec<u8>>,
    pub opened: Mutex<Vec<Vec<u8>>>,
    /// Most bytes that one read gives.
    pub piece: usize,
}

impl MemoryImage {
    /// Paths that were read, sorted.
    pub fn opened(&self) -> Vec<String> {
        let mut opened = text(&self.opened.lock().unwrap());
        opened.sort();
        opened
    }
}

impl Image for MemoryImage {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        self.opened.lock().unwrap().push(path.as_bytes().to_vec());
        let content = self.files.get(path.as_bytes()).unwrap_or_else(|| panic!("not in the image: {path:?}"));
        Ok(Box::new(Pieces { rest: content, piece: self.piece }))
    }

    fn position(&self, path: &TreePath) -> u64 {
        self.files.keys().position(|p| p == path.as_bytes()).unwrap_or(0) as u64
    }
}

struct Pieces<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min(self.rest.len()).min(self.piece);
        buf[..n].copy_from_slice(&self.rest[..n]);
        self.rest = &self.rest[n..];
        Ok(n)
    }
}
