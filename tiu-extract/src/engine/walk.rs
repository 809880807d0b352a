//! Walks a tree once, on all cores: reads the metadata of every name, and finds the index entry at
//! the same path.
//!
//! Directories are the unit of work. They wait on one stack, as paths. A path costs some bytes,
//! where a descriptor would count against the limit of open files; therefore a tree of any shape
//! can be walked.

use super::beneath::{self, ProcPath};
use super::error::EngineError;
use super::flags;
use super::pool::{cores, lock};
use super::reach::Reach;
use super::rules::Lookup;
use super::scope::{NamesInScope, Scope};
use super::tree::{Listing, NONE, Node, Ownership, ScannedTree};
use super::unreadable::{Part, Unreadable, is_damage};
use super::xattr;
use rustix::fs::{FileType, OFlags, Statx};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex};
use tiu_bundle::index::{Index, Kind, Mtime};
use tiu_system::path::TreePath;
use tiu_system::progress::Watch;

/// `BTRFS_SUPER_MAGIC` of `linux/magic.h`.
const BTRFS: u64 = 0x9123_683e;
/// `BTRFS_EMPTY_SUBVOL_DIR_OBJECTID` of `linux/btrfs_tree.h`: the inode number of the directory
/// that a snapshot shows for a nested subvolume.
const EMPTY_SUBVOLUME: u64 = 2;

/// The moment at which the extended attributes of regular files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAttributes {
    /// During the walk.
    Now,
    /// When [`super::hash`] reads the content and has the file open anyway.
    WithContent,
}

/// The tree to walk, and what to read of it.
pub(crate) struct Walk<'a> {
    pub root: BorrowedFd<'a>,
    /// The index whose entries are looked up. Without one (for a seed), only kinds and sizes are
    /// read.
    pub index: Option<&'a Index>,
    /// True to read the attributes and targets of everything except what belongs to the host, in an
    /// index or not.
    pub everything: bool,
    pub rules: &'a Lookup<'a>,
    pub attributes: ReadAttributes,
    /// The part of the tree that is looked at; everything without one.
    pub scope: Option<&'a Scope>,
    pub watch: Watch<'a>,
}

/// A directory as it was read.
#[derive(Default)]
struct Directory {
    listing: Listing,
    /// The reason why its names could not be read.
    unreadable: Option<Unreadable>,
}

struct Shared {
    tree: ScannedTree,
    /// The nodes and paths of directories to read.
    waiting: Vec<(u32, Vec<u8>)>,
    /// The number of threads that are reading a directory.
    busy: usize,
    failed: Option<EngineError>,
}

impl Walk<'_> {
    /// Reads the whole tree.
    pub fn run(&self) -> Result<ScannedTree, EngineError> {
        let walker = Walker::new(self)?;
        let mut tree = ScannedTree::default();
        tree.subvolumes.clone_from(&walker.subvolumes);
        let root = walker.root()?;
        tree.add(None, root);
        let shared = Mutex::new(Shared { tree, waiting: vec![(0, Vec::new())], busy: 0, failed: None });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for _ in 1..cores() {
                scope.spawn(|| walker.work(&shared, &changed));
            }
            walker.work(&shared, &changed);
        });
        let shared = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
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
            self.xattrs(Reach::Name(path.within(self.walk.root, c".")), 0, b"", &mut listing)?;
            if self.walk.rules.is_kept(b"") {
                node.ownership = Ownership::Kept;
            }
        }
        listing.nodes.push(node);
        Ok(listing)
    }

    fn work(&self, shared: &Mutex<Shared>, changed: &Condvar) {
        let mut state = lock(shared);
        loop {
            if state.failed.is_some() {
                return;
            }
            let Some((directory, path)) = state.waiting.pop() else {
                if state.busy == 0 {
                    return;
                }
                state = changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            };
            state.busy += 1;
            drop(state);
            let cancelled = self.walk.watch.check().map_err(EngineError::from);
            let result = cancelled.and_then(|()| self.directory(directory, &path));
            state = lock(shared);
            state.busy -= 1;
            match result {
                Ok(found) => {
                    state.tree.add_unreadable(found.unreadable.map(|unreadable| (directory, unreadable)));
                    self.collect(&mut state, directory, &path, found.listing);
                }
                Err(error) => state.failed = Some(error),
            }
            changed.notify_all();
        }
    }

    fn collect(&self, state: &mut Shared, directory: u32, path: &[u8], listing: Listing) {
        self.walk.watch.advance(listing.nodes.len() as u64);
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
        match state.tree.add(Some(directory), listing) {
            Some(first) => state.waiting.extend(enter.into_iter().map(|(i, path)| (first + i, path))),
            None => state.failed = Some(EngineError::TooMany { limit: u64::from(u32::MAX) }),
        }
    }

    /// Reads one directory.
    fn directory(&self, directory: u32, path: &[u8]) -> Result<Directory, EngineError> {
        let unreadable = |e| {
            let unreadable = Unreadable::new(Part::Names, path, e)?;
            Ok(Directory { unreadable: Some(unreadable), ..Directory::default() })
        };
        let fd = match beneath::open_quietly(self.walk.root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => fd,
            Err(e) if is_damage(e) => return unreadable(e),
            Err(e) => return Err(EngineError::io("open the directory", path, e)),
        };
        let mut names = match self.walk.scope.map(|scope| scope.names_in(path)) {
            Some(NamesInScope::Some(names)) => {
                names.iter().map(|name| (name.clone(), FileType::Unknown)).collect()
            }
            Some(NamesInScope::All) | None => match read_names(fd.as_fd()) {
                Ok(names) => names,
                Err(e) => return unreadable(e),
            },
        };
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut listing = Listing::default();
        let mut child = path.to_vec();
        let mut proc_path = ProcPath::default();
        for (name, kind) in &names {
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
                    self.name_alone(directory, name, *kind, &child, unreadable, &mut listing);
                    continue;
                }
            };
            let mut node = node(&stat, directory);
            node.name = listing.keep(name.to_bytes());
            // Each subvolume counts its own inodes: the upper bits, which no filesystem uses, make
            // them distinct.
            let device = self.devices.iter().position(|device| *device == beneath::device(&stat));
            node.ino ^= (device.unwrap_or(0) as u64) << 56;
            node.ownership = self.ownership(&stat, &child, node.kind);
            node.entry = self.entry_at(&child);
            if (node.entry != NONE || self.walk.everything) && node.ownership != Ownership::Host {
                let later = node.kind == Kind::File && self.walk.attributes == ReadAttributes::WithContent;
                let number = listing.nodes.len() as u32;
                if !later {
                    let inode = Reach::Name(proc_path.within(fd.as_fd(), name));
                    self.xattrs(inode, number, &child, &mut listing)?;
                }
                if node.kind == Kind::Symlink {
                    match rustix::fs::readlinkat(&fd, name.as_c_str(), Vec::new()) {
                        Ok(target) => node.target = listing.keep(target.to_bytes()),
                        Err(e) => {
                            listing.unreadable.push((number, Unreadable::new(Part::Target, &child, e)?));
                        }
                    }
                }
            }
            listing.nodes.push(node);
        }
        Ok(Directory { listing, unreadable: None })
    }

    /// Reads the attributes of node `number` of `listing`.
    fn xattrs(
        &self,
        inode: Reach,
        number: u32,
        path: &[u8],
        listing: &mut Listing,
    ) -> Result<(), EngineError> {
        match xattr::read(inode, self.walk.rules) {
            Ok(xattrs) if xattrs.0.is_empty() => {}
            Ok(xattrs) => listing.xattrs.push((number, xattrs)),
            Err(e) => listing.unreadable.push((number, Unreadable::new(Part::Attributes, path, e)?)),
        }
        Ok(())
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

/// Returns the names in a directory, with the kinds that it says.
fn read_names(directory: BorrowedFd) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut names = Vec::new();
    let mut buf = [const { MaybeUninit::uninit() }; 16 * 1024];
    let mut entries = rustix::fs::RawDir::new(directory, &mut buf);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push((name.to_owned(), entry.file_type()));
        }
    }
    Ok(names)
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
