//! Paths of a tree that belong to the host, with all that is below them: mount points, nested
//! subvolumes, and directories in which only the host puts things.

use crate::etc::{ETC, is_etc};
use crate::host::HostError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tiu_bundle::index::Index;
use tiu_bundle::places;
use tiu_system::fstab::Mount;
use tiu_system::path::{TreePath, TreePathBuf};

/// Returns all paths of the host, sorted, without duplicates.
///
/// `/etc` is never one of them: some hosts bind-mount a nested subvolume onto itself to make it
/// writable. An overlay, or any other mount there, is an error: the update would change an `/etc`
/// that the host does not use. A separate filesystem for `/usr` is an error too: an image is not
/// applied to half a system.
pub fn host_paths(
    mounts: &[Mount],
    nested: &[PathBuf],
    configured: &[TreePathBuf],
) -> Result<Vec<TreePathBuf>, HostError> {
    let mut paths: Vec<TreePathBuf> = places::never_installed().map(TreePath::to_owned).collect();
    for mount in mounts {
        match mount.path() {
            Some(path) if *path == *ETC && mount.fstype == "overlay" => {
                return Err(HostError::OverlayEtc { found: "its fstab says so".into() });
            }
            Some(path) if *path == *ETC && !mount.is_onto_itself() => {
                return Err(HostError::SeparateEtc { device: mount.source.clone() });
            }
            Some(path) if *path == *TreePath::literal("usr") => {
                return Err(HostError::SeparateUsr { device: mount.source.clone() });
            }
            Some(path) if !is_etc(&path) => paths.push(path),
            _ => {}
        }
    }
    let nested = nested.iter().filter_map(|path| TreePathBuf::new(path.as_os_str().as_encoded_bytes()).ok());
    paths.extend(nested.filter(|path| **path != *ETC));
    paths.extend(configured.iter().cloned());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Entries of the image that are not installed because they lie below a path of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotInstalled {
    /// The path of the host in the tree.
    pub path: TreePathBuf,
    /// The number of entries.
    pub entries: usize,
    /// The first few entries, in byte order.
    pub first: Vec<TreePathBuf>,
}

impl std::fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let NotInstalled { path, entries, first } = self;
        let shown: Vec<String> = first.iter().map(|path| format!("/{path}")).collect();
        let more = if *entries > first.len() { ", ..." } else { "" };
        let shown = shown.join(", ");
        write!(
            f,
            "/{path} belongs to the host: {entries} entries of the image there are not installed: {shown}{more}"
        )
    }
}

/// Returns the entries of the image below each of `host_paths` that has any.
pub fn left_out(index: &Index, host_paths: &[TreePathBuf]) -> Vec<NotInstalled> {
    /// The number of entries that are named.
    const SHOWN: usize = 3;
    let mut all: BTreeMap<&TreePath, NotInstalled> = BTreeMap::new();
    for entry in index.iter() {
        let below = |host: &&TreePathBuf| entry.path.strip_prefix(host).is_some_and(|rest| !rest.is_root());
        let Some(host) = host_paths.iter().find(below) else { continue };
        let left = all.entry(host).or_insert_with(|| NotInstalled {
            path: host.clone(),
            entries: 0,
            first: Vec::new(),
        });
        left.entries += 1;
        if left.first.len() < SHOWN {
            left.first.push(entry.path.as_ref().to_owned());
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::fstab;

    #[test]
    fn mounts_subvolumes_and_configured_paths_belong_to_the_host() {
        let mounts = fstab::parse(
            "U / btrfs ro\nU /var btrfs x\nU /data btrfs x\n/etc /etc none bind\nU /etc/private ext4\nU /data btrfs y\n",
        );
        let nested = [PathBuf::from("etc"), PathBuf::from("var/lib/machines")];
        let paths = host_paths(&mounts, &nested, &[TreePathBuf::new("keep/this").unwrap()]).unwrap();
        let has = |path: &str| paths.iter().filter(|p| p.as_bytes() == path.as_bytes()).count();
        for path in ["var", "data", "var/lib/machines", "keep/this", ".snapshots", "proc"] {
            assert_eq!(has(path), 1, "{path}");
        }
        assert_eq!(has("etc") + has("etc/private") + has(""), 0);
    }

    #[test]
    fn an_overlay_etc_is_refused() {
        let mounts = fstab::parse("overlay /etc overlay defaults,lowerdir=/etc 0 0\n");
        assert!(matches!(host_paths(&mounts, &[], &[]), Err(HostError::OverlayEtc { .. })));
    }

    #[test]
    fn an_etc_that_is_not_in_the_snapshot_is_refused() {
        for line in
            ["/dev/sda5 /etc ext4 defaults 0 0\n", "tmpfs //etc/ tmpfs\n", "UUID=1 /etc btrfs subvol=@/etc\n"]
        {
            let error = host_paths(&fstab::parse(line), &[], &[]).unwrap_err();
            assert!(matches!(error, HostError::SeparateEtc { .. }), "{line}");
        }
        let onto_itself = fstab::parse("/etc /etc none bind,x-initrd.mount 0 0\n/etc/ /etc/ none rbind\n");
        host_paths(&onto_itself, &[], &[]).unwrap();
    }

    #[test]
    fn a_separate_usr_is_refused() {
        let mounts = fstab::parse("/dev/sda3 /usr/ ext4 defaults 0 0\n");
        let error = host_paths(&mounts, &[], &[]).unwrap_err();
        assert!(error.to_string().contains("/dev/sda3"), "{error}");
    }
}
