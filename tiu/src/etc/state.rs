//! The state of each path of `/etc`: in the base's defaults, on the host, in the new image. It
//! holds everything that counts, so the merge is a function of data. It also holds the modification
//! time, which is not compared.

use super::{ETC, entries};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use tiu_bundle::content_digest::{Digest, digest_bytes};
use tiu_bundle::index::{Entry, Index, Kind, Mtime};
use tiu_extract::{EngineError, Rules, Shown};
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Watch;
use tiu_system::tree::{Tree, TreeError};

/// An inode of `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Its kind; never a hard link.
    pub kind: Kind,
    /// Permission bits; without meaning for symlinks.
    pub mode: u32,
    /// Owner, in the host's numbers.
    pub uid: u32,
    /// Group, in the host's numbers.
    pub gid: u32,
    /// Device number.
    pub rdev: u64,
    /// Target of a symlink.
    pub target: Option<Vec<u8>>,
    /// Content digest of a regular file.
    pub digest: Option<Digest>,
    /// Extended attributes including ACLs, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Modification time; it does not count.
    pub mtime: Mtime,
    /// True if it is a mount or a nested subvolume of the host, whose content is not read.
    pub host: bool,
}

/// The inode at each path (`etc`, `etc/...`); a path's parent comes before it.
pub type States = BTreeMap<TreePathBuf, Inode>;

/// Returns the names of the properties that differ and count.
pub fn differences(a: &Inode, b: &Inode) -> Vec<&'static str> {
    if a.kind != b.kind {
        return vec!["type"];
    }
    let checks = [
        ("content", a.digest != b.digest),
        ("target", a.target != b.target),
        ("rdev", a.rdev != b.rdev),
        ("mode", a.kind != Kind::Symlink && a.mode != b.mode),
        ("owner", (a.uid, a.gid) != (b.uid, b.gid)),
        ("xattrs", !same_xattrs(a, b)),
    ];
    checks.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
}

/// Returns whether two inodes are equal in all that counts. Two absent inodes are equal.
pub fn same(a: Option<&Inode>, b: Option<&Inode>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => differences(a, b).is_empty(),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Returns whether the extended attributes are equal. Ignores labels that only one side has: the
/// host's security modules set them.
fn same_xattrs(a: &Inode, b: &Inode) -> bool {
    let one_sided = |name: &[u8], other: &Inode| {
        tiu_extract::is_label(name) && !other.xattrs.iter().any(|(their, _)| their == name)
    };
    let counting = |inode: &Inode, other: &Inode| -> Vec<(Vec<u8>, Vec<u8>)> {
        inode.xattrs.iter().filter(|(name, _)| !one_sided(name, other)).cloned().collect()
    };
    counting(a, b) == counting(b, a)
}

/// Returns the defaults of an image, with owners mapped to the host's numbers as in `rules`.
pub fn states_of_index(index: &Index, rules: &Rules) -> States {
    entries(index)
        .map(|entry| (entry.path.as_ref().to_owned(), inode_of_entry(index, &entry, rules)))
        .collect()
}

/// Returns the inode of an entry.
fn inode_of_entry(index: &Index, entry: &Entry, rules: &Rules) -> Inode {
    let inode = index.inode_of(entry);
    let number = |map: &std::collections::HashMap<u32, u32>, n: u32| map.get(&n).copied().unwrap_or(n);
    Inode {
        kind: inode.kind,
        mode: inode.mode,
        uid: number(&rules.uids, inode.uid),
        gid: number(&rules.gids, inode.gid),
        rdev: inode.rdev,
        target: inode.target.as_ref().map(|target| target.to_vec()),
        digest: inode.digest,
        xattrs: sorted(
            inode.xattrs.iter().map(|(n, v)| (n.to_vec(), tiu_extract::map_acl_owners(n, v, rules))),
        ),
        mtime: inode.mtime,
        host: false,
    }
}

fn sorted(xattrs: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut xattrs: Vec<_> = xattrs.collect();
    xattrs.sort();
    xattrs
}

/// `/etc` could not be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum ReadError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Reads the `/etc` of the system in `tree`. The host's paths in it are those of `rules`. A file
/// whose content the filesystem cannot read has no digest: it equals no other.
pub fn states_of_tree(tree: &Tree, rules: &Rules, watch: Watch) -> Result<States, ReadError> {
    Ok(read(tree, rules, watch)?.into_iter().map(|(path, inode, _)| (path, inode)).collect())
}

/// Reads like [`states_of_tree`]; fails where the content of a file cannot be read.
pub fn legible_states_of_tree(tree: &Tree, rules: &Rules, watch: Watch) -> Result<States, ReadError> {
    let legible = |(path, inode, unreadable): (TreePathBuf, Inode, Option<Errno>)| match unreadable {
        Some(error) => {
            let path = Path::new("/").join(path.as_path());
            Err(EngineError::Unreadable { path, source: error.into() }.into())
        }
        None => Ok((path, inode)),
    };
    read(tree, rules, watch)?.into_iter().map(legible).collect()
}

type Found = Vec<(TreePathBuf, Inode, Option<Errno>)>;

fn read(tree: &Tree, rules: &Rules, watch: Watch) -> Result<Found, ReadError> {
    let directory = tree.directory(ETC)?;
    let inside = |path: &TreePathBuf| {
        let below = path.strip_prefix(ETC)?;
        (!below.is_root()).then(|| below.to_owned())
    };
    let rules =
        Rules { host_paths: rules.host_paths.iter().filter_map(inside).collect(), ..Rules::default() };
    let found = tiu_extract::inventory(std::os::fd::AsFd::as_fd(&directory), &rules, watch)?;
    let state = |found: tiu_extract::InventoryEntry| {
        let entry = found.entry;
        let path = ETC.join(&entry.path);
        let inode = Inode {
            kind: entry.kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            rdev: entry.rdev,
            target: entry.target.map(Cow::into_owned),
            digest: entry.digest,
            xattrs: sorted(entry.xattrs.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned()))),
            mtime: entry.mtime,
            host: found.host,
        };
        (path, inode, found.unreadable)
    };
    Ok(found.into_iter().map(state).collect())
}

/// An inode as reports and messages show it. The field names are those of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InodeFacts {
    /// `regular file`, `directory`, `symbolic link`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Permission bits in octal; symlinks have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Content digest of a regular file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Modification time of a regular file that not everybody can read, instead of the digest: from
    /// a digest, anybody who reads the report could try passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// The target of a symlink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `MAJOR:MINOR` of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Extended attributes: as quoted text, or as hex digits after `0x`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
}

impl From<&Inode> for InodeFacts {
    fn from(inode: &Inode) -> Self {
        let device = matches!(inode.kind, Kind::CharDev | Kind::BlockDev);
        let value = |value: &[u8]| {
            let text = std::str::from_utf8(value).ok().filter(|text| !text.chars().any(char::is_control));
            let hex = || value.iter().fold("0x".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
            text.map_or_else(hex, |text| format!("{text:?}"))
        };
        // Labels of the host's security modules are not part of the merge.
        let xattrs = inode.xattrs.iter().filter(|(name, _)| !tiu_extract::is_label(name));
        InodeFacts {
            kind: inode.kind.to_string(),
            mode: (inode.kind != Kind::Symlink).then(|| format!("{:04o}", inode.mode)),
            uid: inode.uid,
            gid: inode.gid,
            digest: inode.digest.map(|digest| digest.to_string()),
            modified: None,
            target: inode.target.as_ref().map(|target| Shown(target).to_string()),
            device: device
                .then(|| format!("{}:{}", rustix::fs::major(inode.rdev), rustix::fs::minor(inode.rdev))),
            xattrs: xattrs.map(|(n, v)| (Shown(n).to_string(), value(v))).collect(),
        }
    }
}

/// Returns whether the permission bits, in octal, let everybody read.
fn is_public(mode: Option<&str>) -> bool {
    mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()).is_none_or(|mode| mode & 0o004 != 0)
}

/// A modification time as text.
pub(super) fn time(sec: i64, nsec: u32) -> String {
    format!("{sec}.{nsec:09}")
}

impl std::fmt::Display for InodeFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let InodeFacts { kind, mode, uid, gid, digest, target, .. } = self;
        write!(f, "{kind} {} {uid}:{gid}", mode.as_deref().unwrap_or("-"))?;
        let content = digest.as_ref().or(target.as_ref());
        content.map_or(Ok(()), |content| write!(f, " {content}"))
    }
}

impl InodeFacts {
    /// Returns the facts of a regular file without content and extended attributes.
    pub fn regular_file(mode: u32, uid: u32, gid: u32) -> Self {
        InodeFacts {
            kind: Kind::File.to_string(),
            mode: Some(format!("{mode:04o}")),
            uid,
            gid,
            digest: None,
            modified: None,
            target: None,
            device: None,
            xattrs: BTreeMap::new(),
        }
    }

    /// Returns the facts without a digest, if not everybody can read the file.
    pub fn public(self) -> Self {
        let digest = self.digest.filter(|_| is_public(self.mode.as_deref()));
        InodeFacts { digest, ..self }
    }

    /// Replaces the digest by the modification time.
    pub fn hide(&mut self, modified: Option<String>) {
        if self.digest.take().is_some() {
            self.modified = modified;
        }
    }

    /// Returns whether these are the facts of `inode`, as far as they were recorded.
    pub fn describe(&self, inode: Option<&Inode>) -> bool {
        inode.is_some_and(|inode| {
            let mut found = InodeFacts::from(inode);
            if self.digest.is_none() {
                found.hide(self.modified.is_some().then(|| time(inode.mtime.sec, inode.mtime.nsec)));
            }
            *self == found
        })
    }

    /// Returns a digest of all facts (or of their absence) by which a default is recognized.
    pub fn fingerprint(facts: Option<&InodeFacts>) -> String {
        // Serializing to memory does not fail.
        digest_bytes(&serde_json::to_vec(&facts).unwrap_or_default()).to_string()
    }
}
