//! Walks a tree once, on all cores: reads the metadata of every name, and finds the index entry at
//! the same path.
//!
//! Directories are the unit of work. They wait on one stack, as paths. A path costs some bytes,
//! where a descriptor would count against the limit of open files; therefore a tree of any shape
//! can be walked. Where content is read, a directory of many names is several pieces of work. They
//! wait with its descriptor, and come before other directories.

mod inode;
mod names;
mod request;

pub(crate) use request::{ReadAttributes, Walk};

use super::beneath::{self, ProcPath};
use super::error::EngineError;
use super::flags;
use super::pool::{cores, lock, readers};
use super::reach::Reach;
use super::scope::NamesInScope;
use super::settle::Settle;
use super::tree::{Listing, NONE, Node, Ownership, ScannedTree};
use super::unreadable::{Part, Unreadable, is_damage};
use super::xattr;
use inode::Named;
use names::NameList;
use rustix::fs::{FileType, OFlags, Statx};
use rustix::io::Errno;
use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use tiu_bundle::index::{Kind, Mtime};
use tiu_system::path::TreePath;

/// `BTRFS_SUPER_MAGIC` of `linux/magic.h`.
const BTRFS: u64 = 0x9123_683e;
/// `BTRFS_EMPTY_SUBVOL_DIR_OBJECTID` of `linux/btrfs_tree.h`: the inode number of the directory
/// that a snapshot shows for a nested subvolume.
const EMPTY_SUBVOLUME: u64 = 2;

/// Names that one thread takes at once, where content is read.
const BATCH: usize = 64;

/// A directory whose names were read.
struct OpenDirectory {
    node: u32,
    path: Vec<u8>,
    fd: OwnedFd,
    names: NameList,
}

/// A piece of work.
enum Work {
    /// A directory: its node and its path.
    Directory(u32, Vec<u8>),
    /// Some names of a directory.
    Names(Arc<OpenDirectory>, Range<usize>),
}

struct Shared {
    tree: ScannedTree,
    directories: Vec<(u32, Vec<u8>)>,
    names: Vec<(Arc<OpenDirectory>, Range<usize>)>,
    /// The number of threads that are at work.
    busy: usize,
    failed: Option<EngineError>,
}

impl Shared {
    fn take(&mut self) -> Option<Work> {
        let names = self.names.pop().map(|(directory, range)| Work::Names(directory, range));
        names.or_else(|| self.directories.pop().map(|(node, path)| Work::Directory(node, path)))
    }
}

impl Walk<'_> {
    /// Reads the whole tree.
    pub fn run(&self) -> Result<ScannedTree, EngineError> {
        let walker = Walker::new(self)?;
        let mut tree = ScannedTree::default();
        tree.subvolumes.clone_from(&walker.subvolumes);
        let root = walker.root()?;
        tree.add(None, root);
        let directories = vec![(0, Vec::new())];
        let shared = Mutex::new(Shared { tree, directories, names: Vec::new(), busy: 0, failed: None });
        let changed = Condvar::new();
        let threads = if let Settle::ByContent(_) = self.settle { readers() } else { cores() };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| walker.work(&shared, &changed));
            }
            walker.work(&shared, &changed);
        });
        let mut shared = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.tree.finish_walk();
        match shared.failed {
            Some(error) => Err(error),
            None => Ok(shared.tree),
        }
    }
}

struct Walker<'a> {
    walk: &'a Walk<'a>,
    root: Statx,
    /// The devices of the tree: the root's, and those of nested subvolumes that are part of the
    /// tree.
    devices: Vec<(u32, u32)>,
    subvolumes: Vec<Vec<u8>>,
    btrfs: bool,
}

impl<'a> Walker<'a> {
    fn new(walk: &'a Walk<'a>) -> Result<Self, EngineError> {
        let root =
            beneath::stat(walk.root, c"").map_err(|e| EngineError::io("read the metadata of", b"", e))?;
        let fs = rustix::fs::fstatfs(walk.root)
            .map_err(|e| EngineError::io("read the filesystem's state of", b"", e))?;
        let mut devices = vec![beneath::device(&root)];
        let mut subvolumes = Vec::new();
        for path in walk.rules.subvolumes() {
            let path = path.as_bytes();
            match beneath::open(walk.root, path, OFlags::PATH | OFlags::DIRECTORY) {
                Ok(fd) => {
                    let stat = beneath::stat(fd.as_fd(), c"")
                        .map_err(|e| EngineError::io("read the metadata of", path, e))?;
                    if beneath::device(&stat) != beneath::device(&root) {
                        devices.push(beneath::device(&stat));
                        subvolumes.push(path.to_vec());
                    }
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(e) => return Err(EngineError::io("open the subvolume", path, e)),
            }
        }
        Ok(Walker { walk, root, devices, subvolumes, btrfs: fs.f_type as u64 == BTRFS })
    }

    fn root(&self) -> Result<Listing, EngineError> {
        let mut listing = Listing::default();
        let mut node = node(&self.root, 0);
        if self.walk.index.is_some() || self.walk.everything {
            node.entry = if self.walk.everything { NONE } else { 0 };
            // The root can be an O_PATH descriptor and a mount point, but not a symlink: the "."
            // makes it a directory.
            let mut path = ProcPath::default();
            match xattr::read(Reach::Name(path.within(self.walk.root, c".")), self.walk.rules) {
                Ok(xattrs) if xattrs.0.is_empty() => {}
                Ok(xattrs) => listing.xattrs.push((0, xattrs)),
                Err(e) => listing.unreadable.push((0, Unreadable::new(Part::Attributes, b"", e)?)),
            }
            if self.walk.rules.is_kept(b"") {
                node.ownership = Ownership::Kept;
            }
        }
        listing.nodes.push(node);
        Ok(listing)
    }

    fn work(&self, shared: &Mutex<Shared>, changed: &Condvar) {
        let mut buf = Vec::new();
        let mut state = lock(shared);
        loop {
            if state.failed.is_some() {
                return;
            }
            let Some(work) = state.take() else {
                if state.busy == 0 {
                    return;
                }
                state = changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            };
            state.busy += 1;
            drop(state);
            let cancelled = self.walk.watch.check().map_err(EngineError::from);
            let result = cancelled.and_then(|()| self.piece(work, shared, changed, &mut buf));
            state = lock(shared);
            state.busy -= 1;
            if let Err(error) = result {
                state.failed = Some(error);
            }
            // This thread takes one piece itself. In a deep tree there is never another one.
            let waiting = state.names.len() + state.directories.len();
            if waiting > 1 || (waiting == 0 && state.busy == 0) || state.failed.is_some() {
                changed.notify_all();
            }
        }
    }

    fn piece(
        &self,
        work: Work,
        shared: &Mutex<Shared>,
        changed: &Condvar,
        buf: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        let (directory, range) = match work {
            Work::Names(directory, range) => (directory, range),
            Work::Directory(node, path) => match self.open(node, path)? {
                Ok(directory) => {
                    let directory = Arc::new(directory);
                    let mut pieces = self.pieces(directory.names.len());
                    let first = pieces.next().unwrap_or_default();
                    let others: Vec<_> = pieces.map(|range| (directory.clone(), range)).collect();
                    if !others.is_empty() {
                        lock(shared).names.extend(others);
                        changed.notify_all();
                    }
                    (directory, first)
                }
                Err(unreadable) => {
                    lock(shared).tree.add_unreadable([(node, unreadable)]);
                    return Ok(());
                }
            },
        };
        let listing = self.names(&directory, range, buf)?;
        self.collect(lock(shared), &directory, listing)
    }

    /// Cuts the names of a directory into pieces. Where no content is read they stay together.
    fn pieces(&self, names: usize) -> impl Iterator<Item = Range<usize>> {
        let size = match self.walk.settle {
            Settle::ByContent(_) => BATCH,
            Settle::ByMetadata | Settle::Never => names.max(1),
        };
        (0..names).step_by(size).map(move |start| start..names.min(start + size))
    }

    fn collect(
        &self,
        mut state: MutexGuard<Shared>,
        directory: &OpenDirectory,
        listing: Listing,
    ) -> Result<(), EngineError> {
        let OpenDirectory { node, path, .. } = directory;
        self.walk.watch.advance((listing.nodes.len() + listing.settled.len()) as u64);
        let enter: Vec<(u32, Vec<u8>)> = (0u32..)
            .zip(&listing.nodes)
            .filter(|(i, node)| {
                let is_known =
                    |(other, unreadable): &(u32, Unreadable)| other != i || unreadable.part != Part::Inode;
                node.kind == Kind::Dir
                    && matches!(node.ownership, Ownership::Ours | Ownership::Kept)
                    && listing.unreadable.iter().all(is_known)
            })
            .map(|(i, node)| (i, join(path, listing.bytes(&node.name))))
            .filter(|(_, path)| self.walk.scope.is_none_or(|scope| scope.enters(path)))
            .collect();
        match state.tree.add(Some(*node), listing) {
            Some(first) => {
                state.directories.extend(enter.into_iter().map(|(i, path)| (first + i, path)));
                Ok(())
            }
            None => Err(EngineError::TooMany { limit: u64::from(u32::MAX) }),
        }
    }

    /// Opens a directory and reads its names.
    fn open(&self, node: u32, path: Vec<u8>) -> Result<Result<OpenDirectory, Unreadable>, EngineError> {
        let fd = match beneath::open_quietly(self.walk.root, &path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => fd,
            Err(e) if is_damage(e) => return Ok(Err(Unreadable::new(Part::Names, &path, e)?)),
            Err(e) => return Err(EngineError::io("open the directory", &path, e)),
        };
        let names = match self.walk.scope.map(|scope| scope.names_in(&path)) {
            Some(NamesInScope::Some(names)) => NameList::of(names),
            Some(NamesInScope::All) | None => NameList::read(fd.as_fd()),
        };
        match names {
            Ok(names) => Ok(Ok(OpenDirectory { node, path, fd, names })),
            Err(e) => Ok(Err(Unreadable::new(Part::Names, &path, e)?)),
        }
    }

    /// Reads the inodes of some names of a directory.
    fn names(
        &self,
        directory: &OpenDirectory,
        range: Range<usize>,
        buf: &mut Vec<u8>,
    ) -> Result<Listing, EngineError> {
        let OpenDirectory { node: parent, path, fd, names } = directory;
        let mut listing = Listing::default();
        let mut child = path.clone();
        let mut proc_path = ProcPath::default();
        for (name, kind) in names.range(range) {
            child.truncate(path.len());
            if !path.is_empty() {
                child.push(b'/');
            }
            child.extend_from_slice(name.to_bytes());
            let stat = match beneath::stat(fd.as_fd(), name) {
                Ok(stat) => stat,
                // Removed in the meantime.
                Err(Errno::NOENT) => continue,
                Err(e) => {
                    let unreadable = Unreadable::new(Part::Inode, &child, e)?;
                    self.name_alone(*parent, name, kind, &child, unreadable, &mut listing);
                    continue;
                }
            };
            let mut node = node(&stat, *parent);
            // Each subvolume counts its own inodes: the upper bits, which no filesystem uses, make
            // them distinct.
            let device = self.devices.iter().position(|device| *device == beneath::device(&stat));
            node.ino ^= (device.unwrap_or(0) as u64) << 56;
            node.ownership = self.ownership(&stat, &child, node.kind);
            node.entry = self.entry_at(&child);
            if (node.entry == NONE && !self.walk.everything) || node.ownership == Ownership::Host {
                node.name = listing.keep(name.to_bytes());
                listing.nodes.push(node);
                continue;
            }
            let named = Named { directory: fd.as_fd(), name, path: &child };
            let reach = Reach::Name(proc_path.within(fd.as_fd(), name));
            match inode::read(self.walk, &node, &named, reach, buf)? {
                Some(inode) => inode.push(node, name.to_bytes(), &mut listing),
                None => listing.settled.push(node.entry),
            }
        }
        Ok(listing)
    }

    /// Adds a name whose inode cannot be read. Its kind is the one that the directory says.
    fn name_alone(
        &self,
        directory: u32,
        name: &CStr,
        kind: FileType,
        path: &[u8],
        unreadable: Unreadable,
        listing: &mut Listing,
    ) {
        let ownership = self.ownership_by_path(path);
        listing.unreadable.push((listing.nodes.len() as u32, unreadable));
        let name = listing.keep(name.to_bytes());
        listing.nodes.push(Node {
            parent: directory,
            name,
            target: 0..0,
            children: 0..0,
            entry: self.entry_at(path),
            kind: kind_of(kind),
            ownership,
            mode: 0,
            nlink: 1,
            uid: 0,
            gid: 0,
            ino: 0,
            value: 0,
            mtime: Mtime::default(),
            locked: false,
        });
    }

    /// Returns the number of the index's entry at `path`.
    fn entry_at(&self, path: &[u8]) -> u32 {
        let path = TreePath::new(path).ok();
        let found = self.walk.index.zip(path).and_then(|(index, path)| index.find(path));
        found.map_or(NONE, |i| i as u32)
    }

    fn ownership(&self, stat: &Statx, path: &[u8], kind: Kind) -> Ownership {
        let ownership = self.ownership_by_path(path);
        if beneath::is_mount_root(stat) || ownership == Ownership::Host {
            Ownership::Host
        } else if kind == Kind::Dir && self.btrfs && stat.stx_ino == EMPTY_SUBVOLUME {
            Ownership::Placeholder
        } else if kind == Kind::Dir && !self.devices.contains(&beneath::device(stat)) {
            // (The device of a file means nothing: overlay filesystems show that of a layer.)
            Ownership::Host
        } else if ownership == Ownership::Ours && kind == Kind::Dir && self.walk.rules.is_opaque(path) {
            Ownership::Opaque
        } else {
            ownership
        }
    }

    /// Returns the ownership as the rules have it, whatever is at `path`.
    fn ownership_by_path(&self, path: &[u8]) -> Ownership {
        let rules = self.walk.rules;
        if rules.is_host(path) {
            Ownership::Host
        } else if rules.is_kept(path) {
            Ownership::Kept
        } else {
            Ownership::Ours
        }
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    match parent {
        [] => name.to_vec(),
        parent => [parent, b"/", name].concat(),
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::CharDev,
        FileType::BlockDevice => Kind::BlockDev,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        _ => Kind::File,
    }
}

fn node(stat: &Statx, parent: u32) -> Node {
    let kind = kind_of(FileType::from_raw_mode(u32::from(stat.stx_mode)));
    let value = match kind {
        Kind::File => stat.stx_size,
        Kind::CharDev | Kind::BlockDev => rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        _ => 0,
    };
    Node {
        parent,
        name: 0..0,
        target: 0..0,
        children: 0..0,
        entry: NONE,
        kind,
        ownership: Ownership::Ours,
        mode: u32::from(stat.stx_mode) & 0o7777,
        nlink: stat.stx_nlink,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        ino: stat.stx_ino,
        value,
        mtime: Mtime { sec: stat.stx_mtime.tv_sec, nsec: stat.stx_mtime.tv_nsec },
        locked: flags::is_locked(stat),
    }
}
