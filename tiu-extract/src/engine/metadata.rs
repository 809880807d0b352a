//! Metadata of one inode: compares it, and corrects it with the fewest system calls.

use super::error::EngineError;
use super::reach::Reach;
use super::rules::Lookup;
use super::tree::{Node, ScannedTree};
use super::unreadable::Part;
use super::xattr::{self, XattrSet};
use rustix::fs::{Gid, Statx, Timespec, Timestamps, Uid};
use tiu_bundle::index::{Entry, Kind, Mtime};

/// The metadata that an inode must have in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetadataWanted {
    /// Owner and group; `None` if owners are left out.
    pub owner: Option<(u32, u32)>,
    /// Permission bits; `None` for symlinks, which have none.
    pub mode: Option<u32>,
    /// Extended attributes, sorted by name.
    pub xattrs: XattrSet,
    /// Modification time.
    pub mtime: Mtime,
}

impl MetadataWanted {
    /// The metadata that `entry` has in the target.
    pub fn from_entry(entry: &Entry, rules: &Lookup) -> Self {
        let mode = if rules.owner() { entry.mode & 0o7777 } else { entry.mode & 0o1777 };
        MetadataWanted {
            owner: rules.owner().then(|| (rules.uid(entry.uid), rules.gid(entry.gid))),
            mode: (entry.kind != Kind::Symlink).then_some(mode),
            xattrs: XattrSet::from_entry(entry, rules),
            mtime: entry.mtime,
        }
    }
}

/// The parts of an inode's metadata that are wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub owner: bool,
    pub mode: bool,
    pub xattrs: bool,
    pub mtime: bool,
    /// The inode has flags that stop changes; no index has any.
    pub flags: bool,
}

impl Wrong {
    pub fn any(self) -> bool {
        self != Wrong::default()
    }
}

/// Compares the metadata of `node` with `wanted`. Attributes that could not be read are not
/// compared.
pub(crate) fn differences(tree: &ScannedTree, node: u32, wanted: &MetadataWanted) -> Wrong {
    let mut wrong = differences_of(tree.node(node), tree.xattrs(node), wanted);
    wrong.xattrs &= !tree.lacks(node, Part::Attributes);
    wrong
}

/// Compares the metadata of `found`, which has the attributes `xattrs`, with `wanted`.
pub(crate) fn differences_of(found: &Node, xattrs: Option<&XattrSet>, wanted: &MetadataWanted) -> Wrong {
    static NONE: XattrSet = XattrSet(Vec::new());
    Wrong {
        owner: wanted.owner.is_some_and(|owner| owner != (found.uid, found.gid)),
        mode: found.kind != Kind::Symlink && wanted.mode.is_some_and(|mode| mode != found.mode),
        xattrs: !xattrs.unwrap_or(&NONE).changes_to(&wanted.xattrs).is_empty(),
        mtime: wanted.mtime != found.mtime,
        flags: found.locked,
    }
}

/// Sets the metadata of an inode to `wanted`. Does not touch parts that are right, so that they are
/// not written again.
///
/// `now` is its state. `attributes` is false if it cannot have attributes, as a new inode in a
/// directory without a default ACL.
pub(crate) fn apply(
    inode: Reach,
    now: &Statx,
    attributes: bool,
    wanted: &MetadataWanted,
    rules: &Lookup,
    shown: &[u8],
) -> Result<(), EngineError> {
    let fail = |operation: &'static str| move |e: rustix::io::Errno| EngineError::io(operation, shown, e);
    // Unknown if the kernel may have removed set-uid and set-gid bits.
    let mut mode = Some(u32::from(now.stx_mode) & 0o7777);
    if let Some((uid, gid)) = wanted.owner {
        let uid = (uid != now.stx_uid).then(|| Uid::from_raw(uid));
        let gid = (gid != now.stx_gid).then(|| Gid::from_raw(gid));
        if uid.is_some() || gid.is_some() {
            inode.chown(uid, gid).map_err(fail("change the owner of"))?;
            mode = mode.filter(|mode| mode & 0o6000 == 0);
        }
    }
    if let Some(wanted) = wanted.mode
        && Some(wanted) != mode
    {
        inode.chmod(wanted).map_err(fail("change the mode of"))?;
    }
    let found = if attributes {
        xattr::read(inode, rules).map_err(fail("read the extended attributes of"))?
    } else {
        XattrSet::default()
    };
    let changes = found.changes_to(&wanted.xattrs);
    for name in &changes.remove {
        inode.remove_xattr(name).map_err(fail("remove an extended attribute of"))?;
    }
    for (name, value) in &changes.set {
        inode.set_xattr(name, value).map_err(fail("set an extended attribute of"))?;
    }
    if !changes.is_empty()
        && let Some(mode) = wanted.mode
        // An ACL changes the mode, and the mode an ACL.
        && inode.mode().map_err(fail("read the metadata of"))? != mode
    {
        inode.chmod(mode).map_err(fail("change the mode of"))?;
    }
    if (now.stx_mtime.tv_sec, now.stx_mtime.tv_nsec) == (wanted.mtime.sec, wanted.mtime.nsec) {
        return Ok(());
    }
    inode.set_times(&times(wanted.mtime)).map_err(fail("set the modification time of"))
}

/// Returns the modification time alone, for utimensat(2).
pub(crate) fn times(mtime: Mtime) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.sec, tv_nsec: mtime.nsec.into() },
    }
}
