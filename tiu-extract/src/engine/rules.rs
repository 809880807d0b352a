//! The rules of the engine in addition to the index: the paths that belong to the host, the map of
//! the owners' numbers, and the parts that are left out.

use super::temporary_names::is_temporary;
use std::collections::{HashMap, HashSet};
use tiu_bundle::index::STATE_DIR;
use tiu_system::path::{TreePath, TreePathBuf};

/// The use of reflinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflink {
    /// Shares content where the filesystem can, writes it otherwise.
    #[default]
    Auto,
    /// Fails if the filesystem cannot share content.
    Required,
}

/// The rules of the engine in addition to the index. The default has no paths, the same numbers,
/// and does everything.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Paths that belong to the host, with all below them: never read,
    /// changed or deleted. Where the index has a directory for one that is missing in the target,
    /// the empty directory is made.
    pub host_paths: Vec<TreePathBuf>,
    /// Paths whose target side stays as it is, alone and not what is below (files of `/etc` that
    /// the admin changed or added). One that is missing in the target stays missing, with all below
    /// it.
    pub keep: Vec<TreePathBuf>,
    /// Nested btrfs subvolumes of the target that are part of the tree (`/etc` on some hosts). All
    /// others belong to the host.
    pub subvolumes: Vec<TreePathBuf>,
    /// The host's uid for each uid of the image. Numbers that are not listed stay the same.
    pub uids: HashMap<u32, u32>,
    /// The host's gid for each gid of the image, as for `uids`.
    pub gids: HashMap<u32, u32>,
    /// True (the default) to set and compare owners. Otherwise everything belongs to the caller,
    /// and what then has no meaning or needs root is left out: set-uid and set-gid bits,
    /// `trusted.*` and `security.*` attributes.
    pub owner: bool,
    /// True (the default) to remove what the index lacks. Otherwise it stays, so that the index can
    /// be a part of an image's.
    pub remove: bool,
    /// The use of reflinks.
    pub reflink: Reflink,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            host_paths: Vec::new(),
            keep: Vec::new(),
            subvolumes: Vec::new(),
            uids: HashMap::new(),
            gids: HashMap::new(),
            owner: true,
            remove: true,
            reflink: Reflink::Auto,
        }
    }
}

/// [`Rules`], prepared for lookups.
pub(crate) struct Lookup<'a> {
    rules: &'a Rules,
    host: HashSet<&'a [u8]>,
    keep: HashSet<&'a [u8]>,
}

impl<'a> Lookup<'a> {
    pub fn new(rules: &'a Rules) -> Self {
        let set = |paths: &'a [TreePathBuf]| paths.iter().map(|path| path.as_bytes()).collect();
        Lookup { rules, host: set(&rules.host_paths), keep: set(&rules.keep) }
    }

    /// Returns true if `path` itself is a host path. Nobody asks about paths below one, because
    /// none is entered.
    pub fn is_host(&self, path: &[u8]) -> bool {
        self.host.contains(path)
    }

    /// Returns true if `path` stays as it is in the target.
    pub fn is_kept(&self, path: &[u8]) -> bool {
        self.keep.contains(path)
    }

    /// Returns the nested subvolumes that are part of the tree.
    pub fn subvolumes(&self) -> impl Iterator<Item = &'a TreePath> {
        self.rules.subvolumes.iter().map(|path| &**path)
    }

    /// Returns true if the content of the directory `path` is the client's state.
    pub fn is_opaque(&self, path: &[u8]) -> bool {
        path == STATE_DIR.as_bytes()
    }

    /// Returns the use of reflinks.
    pub fn reflink(&self) -> Reflink {
        self.rules.reflink
    }

    /// Returns true if an inode called `name` that the index lacks is to be removed. Leftovers of a
    /// killed run always are.
    pub fn removes(&self, name: &[u8]) -> bool {
        self.rules.remove || is_temporary(name)
    }

    /// Returns true if owners are set.
    pub fn owner(&self) -> bool {
        self.rules.owner
    }

    /// Returns the host's number for a user of the image.
    pub fn uid(&self, uid: u32) -> u32 {
        self.rules.uids.get(&uid).copied().unwrap_or(uid)
    }

    /// Returns the host's number for a group of the image.
    pub fn gid(&self, gid: u32) -> u32 {
        self.rules.gids.get(&gid).copied().unwrap_or(gid)
    }
}
