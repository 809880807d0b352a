//! The mounts of a host, which lie over each of its snapshots when that runs.

use super::open::Host;
use std::path::Path;
use tiu_system::mountinfo;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Layer, System, Tree, TreeError};

/// The mounts of a host.
pub struct HostMounts {
    /// The host as it runs, with what is mounted.
    tree: Tree,
    points: Vec<TreePathBuf>,
}

impl HostMounts {
    /// Reads the paths below the root of `host` where something is mounted, and will be again.
    /// `/etc` is the snapshot's own, also where it is mounted onto itself.
    pub fn read(host: &Host) -> Result<Self, TreeError> {
        let text = mountinfo::read().map_err(|source| TreeError { path: mountinfo::PATH.into(), source })?;
        let below = |point: String| {
            let below = Path::new(&point).strip_prefix(host.root()).ok()?;
            let path = TreePathBuf::new(below.as_os_str().as_encoded_bytes()).ok()?;
            let own = path.is_root() || *path == *TreePath::literal("etc");
            (!own).then_some(path)
        };
        let points = mountinfo::mount_points(&text).filter_map(below).collect();
        Ok(HostMounts { tree: Tree::open(host.root())?, points })
    }

    /// Returns the system that runs.
    pub fn running(&self) -> System<'_> {
        System::new(&self.tree)
    }

    /// Returns the system in `snapshot` as it is when it runs, with the mounts.
    pub fn over<'a>(&'a self, snapshot: &'a dyn Layer) -> System<'a> {
        System::with_mounts(snapshot, &self.tree, self.points.clone())
    }
}
