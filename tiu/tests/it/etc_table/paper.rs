//! Small trees on paper: what the decision gets as data, and what a real tree is made of and
//! compared with.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use tiu::etc::{Inode, States};
use tiu::etc::{Merge, Side};
use tiu_bundle::content_digest::digest_bytes;
use tiu_bundle::index::{Kind, Mtime};
use tiu_system::path::TreePath;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Dir,
    File(String),
    Link(String),
    Fifo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub what: NodeKind,
    pub mode: u32,
    pub uid: u32,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// Paths relative to the cell and what is there; parents are named too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paper(pub BTreeMap<String, Node>);

/// A POSIX ACL that lets user 7 read, and fits mode 0644 (or 0755 of a directory, whose mask would
/// be r-x: `mask`).
fn acl(owner: u16, mask: u16) -> Vec<u8> {
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, owner, u32::MAX), (2, 4, 7), (4, mask, u32::MAX), (16, mask, u32::MAX), (32, mask, u32::MAX)]
    {
        value.extend_from_slice(&tag.to_le_bytes());
        value.extend_from_slice(&permissions.to_le_bytes());
        value.extend_from_slice(&id.to_le_bytes());
    }
    value
}

impl Paper {
    fn put(&mut self, path: &str, what: NodeKind, mode: u32) {
        let node = Node { what, mode, uid: 0, xattrs: BTreeMap::new() };
        self.0.insert(path.to_owned(), node);
    }

    pub fn dir(&mut self, path: &str) {
        self.put(path, NodeKind::Dir, 0o755);
    }

    pub fn file(&mut self, path: &str, content: &str) {
        self.put(path, NodeKind::File(content.to_owned()), 0o644);
    }

    pub fn link(&mut self, path: &str, target: &str) {
        self.put(path, NodeKind::Link(target.to_owned()), 0o777);
    }

    pub fn fifo(&mut self, path: &str) {
        self.put(path, NodeKind::Fifo, 0o644);
    }

    /// Removes a path with all below it.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.0.retain(|at, _| at != path && !at.starts_with(&below));
    }

    pub fn node(&mut self, path: &str) -> &mut Node {
        self.0.get_mut(path).unwrap_or_else(|| panic!("{path} is not there"))
    }

    pub fn is_dir(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|node| node.what == NodeKind::Dir)
    }

    pub fn set_acl(&mut self, path: &str) {
        let (owner, mask) = if self.is_dir(path) { (7, 5) } else { (6, 4) };
        self.node(path).xattrs.insert("system.posix_acl_access".into(), acl(owner, mask));
    }

    pub fn set_xattr(&mut self, path: &str, value: &str) {
        self.node(path).xattrs.insert("user.note".into(), value.into());
    }

    /// As the decision sees it, below `prefix`.
    pub fn states(&self, prefix: &TreePath, states: &mut States) {
        for (path, node) in &self.0 {
            let inode = Inode {
                kind: match node.what {
                    NodeKind::Dir => Kind::Dir,
                    NodeKind::File(_) => Kind::File,
                    NodeKind::Link(_) => Kind::Symlink,
                    NodeKind::Fifo => Kind::Fifo,
                },
                mode: node.mode,
                uid: node.uid,
                gid: 0,
                rdev: 0,
                target: match &node.what {
                    NodeKind::Link(target) => Some(target.clone().into_bytes()),
                    _ => None,
                },
                digest: match &node.what {
                    NodeKind::File(content) => Some(digest_bytes(content.as_bytes())),
                    _ => None,
                },
                xattrs: node.xattrs.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone())).collect(),
                mtime: Mtime::default(),
                host: false,
            };
            states.insert(prefix.join(TreePath::new(path).unwrap()), inode);
        }
    }

    /// Returns the result of a merge of `host` and `image` below `prefix`.
    pub fn merged(merge: &Merge, prefix: &TreePath, host: &Paper, image: &Paper) -> Paper {
        let mut result = Paper::default();
        for path in host.0.keys().chain(image.0.keys()) {
            let at = prefix.join(TreePath::new(path).unwrap());
            let decision = merge.decision(&at).expect("a decision for every path");
            let side = if decision.side == Side::Host { host } else { image };
            result.0.extend(side.0.get(path).map(|node| (path.clone(), node.clone())));
        }
        result
    }

    /// Makes what is on paper, over what is there.
    pub fn write(&self, root: &Path) {
        let mut there = Vec::new();
        names(root, "", &mut there);
        for path in there.iter().rev().filter(|path| !self.0.contains_key(*path)) {
            let at = root.join(path);
            if at.symlink_metadata().unwrap().is_dir() { fs::remove_dir(at) } else { fs::remove_file(at) }
                .unwrap();
        }
        for (path, node) in &self.0 {
            let at = root.join(path);
            // An administrator does not touch what is already right.
            if at.symlink_metadata().is_ok() && read(&at) == *node {
                continue;
            }
            if let Ok(found) = at.symlink_metadata()
                && (found.is_dir() != (node.what == NodeKind::Dir) || !found.is_dir())
            {
                let _ = if found.is_dir() { fs::remove_dir_all(&at) } else { fs::remove_file(&at) };
            }
            match &node.what {
                NodeKind::Dir => fs::create_dir_all(&at).unwrap(),
                NodeKind::File(content) => fs::write(&at, content).unwrap(),
                NodeKind::Link(target) => symlink(target, &at).unwrap(),
                NodeKind::Fifo => {
                    let mode = rustix::fs::Mode::from_raw_mode(0o644);
                    rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
                }
            }
            if matches!(node.what, NodeKind::Link(_)) {
                continue;
            }
            chown(&at, Some(node.uid), None).unwrap();
            for (name, value) in &node.xattrs {
                rustix::fs::lsetxattr(&at, name.as_str(), value, rustix::fs::XattrFlags::empty()).unwrap();
            }
            fs::set_permissions(&at, PermissionsExt::from_mode(node.mode)).unwrap();
        }
    }

    /// Reads the nodes below `root`.
    pub fn read(root: &Path) -> Paper {
        let mut there = Vec::new();
        names(root, "", &mut there);
        Paper(there.into_iter().map(|path| (path.clone(), read(&root.join(path)))).collect())
    }
}

/// Paths below `root`, parents first.
fn names(root: &Path, below: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        found.push(path.clone());
        if entry.file_type().unwrap().is_dir() {
            names(root, &path, found);
        }
    }
}

fn read(at: &Path) -> Node {
    let found = at.symlink_metadata().unwrap();
    let kind = found.file_type();
    let what = if kind.is_dir() {
        NodeKind::Dir
    } else if kind.is_symlink() {
        NodeKind::Link(fs::read_link(at).unwrap().into_os_string().into_string().unwrap())
    } else if kind.is_fifo() {
        NodeKind::Fifo
    } else {
        NodeKind::File(fs::read_to_string(at).unwrap())
    };
    let mut names = vec![0u8; 4096];
    let len = rustix::fs::llistxattr(at, &mut names[..]).unwrap();
    let names = names[..len].split(|c| *c == 0).filter(|name| !name.is_empty());
    let xattrs = names.map(|name| {
        let name = std::str::from_utf8(name).unwrap();
        let mut value = vec![0u8; 4096];
        let len = rustix::fs::lgetxattr(at, name, &mut value[..]).unwrap();
        (name.to_owned(), value[..len].to_vec())
    });
    Node { what, mode: found.mode() & 0o7777, uid: found.uid(), xattrs: xattrs.collect() }
}
