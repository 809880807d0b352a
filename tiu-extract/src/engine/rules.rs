//! What the engine must know beside the index: what belongs to the host, how owners' numbers map, what may be skipped.

use super::temporary_names::is_temporary;
use std::collections::{HashMap, HashSet};
use tiu_bundle::index::STATE_DIR;

/// Whether content must be shared rather than copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflink {
    /// Share where the filesystem can, write otherwise.
    #[default]
    Auto,
    /// Sharing must work; a filesystem that cannot is an error.
    Required,
}

/// What the engine must know beside the index.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Paths (relative, no leading slash) that belong to the host, with all below them: never read, changed or deleted.
    /// Where the index has a directory for one that is missing in the target, the empty directory is made.
    pub host_paths: Vec<Vec<u8>>,
    /// Paths whose target side stays as it is, alone and not what is below (files of `/etc` that the admin changed or added).
    /// One that is missing in the target stays missing, with all below it.
    pub keep: Vec<Vec<u8>>,
    /// Nested btrfs subvolumes of the target that are part of the tree (`/etc` on some hosts). Others belong to the host.
    pub subvolumes: Vec<Vec<u8>>,
    /// Numbers of owners: image's uid to host's uid. Absent: same number.
    pub uids: HashMap<u32, u32>,
    /// Image's gid to host's gid.
    pub gids: HashMap<u32, u32>,
    /// Whether owners are set and compared (default). Without, everything belongs to the caller, and what has no meaning
    /// then or needs root is left out: set-uid and set-gid bits, `trusted.*` and `security.*` attributes.
    pub owner: bool,
    /// Whether what the index lacks is removed (default), or left alone: then an index of some paths of an image can be used.
    pub remove: bool,
    /// See [`Reflink`].
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

/// [`Rules`] made ready for looking up.
pub(crate) struct Lookup<'a> {
    rules: &'a Rules,
    host: HashSet<&'a [u8]>,
    keep: HashSet<&'a [u8]>,
}

impl<'a> Lookup<'a> {
    pub fn new(rules: &'a Rules) -> Self {
        let set = |paths: &'a [Vec<u8>]| paths.iter().map(|p| trim(p)).collect();
        Lookup { rules, host: set(&rules.host_paths), keep: set(&rules.keep) }
    }

    /// Whether `path` itself is named as the host's. What is below it needs no question: nobody goes there.
    pub fn is_host(&self, path: &[u8]) -> bool {
        self.host.contains(path)
    }

    /// Whether `path` stays as it is in the target.
    pub fn is_kept(&self, path: &[u8]) -> bool {
        self.keep.contains(path)
    }

    /// Nested subvolumes that are part of the tree.
    pub fn subvolumes(&self) -> impl Iterator<Item = &'a [u8]> {
        self.rules.subvolumes.iter().map(|p| trim(p))
    }

    /// Whether what lies in the directory `path` is the client's.
    pub fn is_opaque(&self, path: &[u8]) -> bool {
        path == STATE_DIR.as_bytes()
    }

    /// Whether sharing blocks must work.
    pub fn reflink(&self) -> Reflink {
        self.rules.reflink
    }

    /// Whether something of that name goes that the index does not have. Leftovers of a killed run always do.
    pub fn removes(&self, name: &[u8]) -> bool {
        self.rules.remove || is_temporary(name)
    }

    /// Whether owners are set.
    pub fn owner(&self) -> bool {
        self.rules.owner
    }

    /// The host's number for an image's user.
    pub fn uid(&self, uid: u32) -> u32 {
        self.rules.uids.get(&uid).copied().unwrap_or(uid)
    }

    /// The host's number for an image's group.
    pub fn gid(&self, gid: u32) -> u32 {
        self.rules.gids.get(&gid).copied().unwrap_or(gid)
    }
}

fn trim(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path)
}
