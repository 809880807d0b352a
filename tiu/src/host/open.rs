//! Opens a host. All requirements on a host are checked here, once, each with its own error; all
//! other code relies on them.

use super::error::{BTRFS_MAGIC, HostError};
use super::held::HeldFile;
use super::snapper::{CONFIG, Snapper};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::mount::OpenTreeFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tiu_system::beneath::Beneath;
use tiu_system::tree::{MAX_TEXT, System, Tree, TreeError};

/// `statfs` type of overlayfs (linux/magic.h).
const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Inode number of the root of every subvolume (btrfs_tree.h: `BTRFS_FIRST_FREE_OBJECTID`).
const SUBVOLUME_INODE: u64 = 256;

/// A checked host.
pub struct Host {
    root: PathBuf,
    live: bool,
    root_fd: OwnedFd,
    /// Descriptor of `.snapshots`.
    snapshots_fd: OwnedFd,
    /// The open file of the host's lock, while this process holds it.
    pub(super) held: HeldFile,
    /// The host's snapper.
    pub snapper: Snapper,
    /// Set once snapper's files about the snapshots were looked at.
    pub(crate) info_files: OnceLock<()>,
}
impl Host {
    /// Opens the running system (`None` or `/`), or the host that is mounted at `root`.
    pub fn open(root: Option<&Path>) -> Result<Self, HostError> {
        let given = root.unwrap_or(Path::new("/"));
        let io = |path: &Path, e: io::Error| HostError::Io { path: path.to_owned(), source: e };
        let root = given.canonicalize().map_err(|e| io(given, e))?;
        let live = root == Path::new("/");
        let root_fd = directory(&root).map_err(|e| io(&root, e))?;
        let found = fs_type(&root_fd).map_err(|e| io(&root, e))?;
        if found != BTRFS_MAGIC {
            return Err(HostError::NotBtrfs { root, found });
        }
        let none = |why: String| HostError::NoSnapshots { root: root.clone(), why };
        let path = root.join(".snapshots");
        let snapshots_fd = directory(&path).map_err(|e| none(e.to_string()))?;
        let metadata = path.metadata().map_err(|e| io(&path, e))?;
        if fs_type(&snapshots_fd).map_err(|e| io(&path, e))? != BTRFS_MAGIC
            || metadata.ino() != SUBVOLUME_INODE
        {
            return Err(none("it is a directory, not a mounted btrfs subvolume".into()));
        }
        let config = Path::new("etc/snapper/configs").join(CONFIG);
        let unreadable = |e: TreeError| HostError::Io { path: e.path, source: e.source };
        let tree = Tree::open(&root).map_err(unreadable)?;
        if System::new(&tree).read(&config, MAX_TEXT).map_err(unreadable)?.is_none() {
            return Err(HostError::NoSnapperConfig { path: Path::new("/").join(config), root });
        }
        let held = HeldFile::default();
        let snapper = Snapper::new((!live).then_some(root.as_path()), held.clone());
        let info_files = OnceLock::new();
        Ok(Host { root, live, root_fd, snapshots_fd, held, snapper, info_files })
    }

    /// Returns the directory where the host is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether the host is the running system.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Returns the root's descriptor: the mounted root, with all that is mounted over it.
    pub fn root_fd(&self) -> BorrowedFd<'_> {
        self.root_fd.as_fd()
    }

    /// Returns the path of the tree of snapshot `number`, without what is mounted over it.
    pub fn snapshot_path(&self, number: u32) -> PathBuf {
        self.root.join(".snapshots").join(number.to_string()).join("snapshot")
    }

    /// Opens the tree of snapshot `number` in a private mount of `.snapshots`, so that nothing that
    /// is mounted over the snapshot or in it is seen.
    pub fn open_around_mounts(&self, number: u32) -> Result<OwnedFd, HostError> {
        let path = self.snapshot_path(number);
        let failed = |e: rustix::io::Errno| HostError::Io { path: path.clone(), source: e.into() };
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let mount = rustix::mount::open_tree(&self.snapshots_fd, "", flags).map_err(failed)?;
        let inner = format!("{number}/snapshot");
        let opened =
            Beneath::within_mount(mount.as_fd()).open(inner.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY);
        let tree = opened.map_err(failed)?;
        if rustix::fs::fstat(&tree).map_err(failed)?.st_ino != SUBVOLUME_INODE {
            let source = io::Error::other("not the root of a subvolume");
            return Err(HostError::Io { path, source });
        }
        Ok(tree)
    }

    /// Returns the descriptor of `.snapshots`.
    pub fn snapshots_fd(&self) -> BorrowedFd<'_> {
        self.snapshots_fd.as_fd()
    }

    /// Checks what would make an update fail later, when a snapshot is made.
    pub fn check_updatable(&self) -> Result<(), HostError> {
        let path = self.root.join(".snapshots");
        rustix::fs::accessat(&self.snapshots_fd, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|e| HostError::NotWritable { path, source: e.into() })?;
        let etc = self.root.join("etc");
        let found = directory(&etc)
            .and_then(|fd| fs_type(&fd))
            .map_err(|source| HostError::Io { path: etc.clone(), source })?;
        match found {
            BTRFS_MAGIC => {}
            OVERLAY_MAGIC => {
                return Err(HostError::OverlayEtc { found: format!("it is mounted at {}", etc.display()) });
            }
            _ => {
                let device = format!("mounted at {}, of type {found:#x}", etc.display());
                return Err(HostError::SeparateEtc { device });
            }
        }
        Ok(())
    }
}

fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

fn fs_type(fd: impl AsFd) -> io::Result<u64> {
    // The field's type and sign differ between architectures; the value is a 32-bit pattern.
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64 & 0xffff_ffff)
}
