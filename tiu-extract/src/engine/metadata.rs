//! Metadata of one inode: what is wrong with it, and how it becomes right with the fewest system calls.

use super::beneath::ProcPath;
use super::error::EngineError;
use super::rules::{Lookup, Wanted};
use super::tree::Tree;
use super::xattr::{self, Follow, Xattrs};
use rustix::fs::{Gid, Mode, Statx, Timespec, Timestamps, Uid};
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::{Kind, Mtime};

/// What of an inode's metadata is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub owner: bool,
    pub mode: bool,
    pub xattrs: bool,
    pub mtime: bool,
}

impl Wrong {
    pub fn any(self) -> bool {
        self != Wrong::default()
    }
}

/// Compares what was found at `node` with what is wanted.
pub(crate) fn differences(tree: &Tree, node: u32, wanted: &Wanted) -> Wrong {
    static NONE: Xattrs = Xattrs(Vec::new());
    let found = tree.node(node);
    Wrong {
        owner: wanted.owner.is_some_and(|owner| owner != (found.uid, found.gid)),
        mode: found.kind != Kind::Symlink && wanted.mode.is_some_and(|mode| mode != found.mode),
        xattrs: !tree.xattrs(node).unwrap_or(&NONE).difference(&wanted.xattrs).is_empty(),
        mtime: wanted.mtime != found.mtime,
    }
}

/// Makes the metadata of the inode behind `fd` (of any kind, `O_PATH` will do) what is `wanted`; what is right already is not touched, so
/// that nothing of it is written again.
///
/// `now` is its state. `attributes`: whether it may have attributes; a new inode in a directory without a default ACL has none.
pub(crate) fn apply(
    fd: BorrowedFd,
    now: &Statx,
    attributes: bool,
    wanted: &Wanted,
    rules: &Lookup,
    shown: &[u8],
) -> Result<(), EngineError> {
    let mut path = ProcPath::default();
    let path = path.of(fd);
    let fail = |operation: &'static str| move |e: rustix::io::Errno| EngineError::io(operation, shown, e);
    const UNKNOWN: u32 = u32::MAX;
    let mut mode = u32::from(now.stx_mode) & 0o7777;
    if let Some((uid, gid)) = wanted.owner {
        let uid = (uid != now.stx_uid).then(|| Uid::from_raw(uid));
        let gid = (gid != now.stx_gid).then(|| Gid::from_raw(gid));
        if uid.is_some() || gid.is_some() {
            rustix::fs::chownat(rustix::fs::CWD, path, uid, gid, rustix::fs::AtFlags::empty())
                .map_err(fail("change the owner of"))?;
            // The kernel may have taken set-uid and set-gid bits away.
            if mode & 0o6000 != 0 {
                mode = UNKNOWN;
            }
        }
    }
    if let Some(wanted) = wanted.mode
        && wanted != mode
    {
        chmod(path, wanted).map_err(fail("change the mode of"))?;
    }
    let found = match attributes {
        true => xattr::read(path, Follow::Yes, rules, shown)?,
        false => Xattrs::default(),
    };
    let difference = found.difference(&wanted.xattrs);
    for name in &difference.remove {
        rustix::fs::removexattr(path, *name).map_err(fail("remove an extended attribute of"))?;
    }
    for (name, value) in &difference.set {
        rustix::fs::setxattr(path, *name, value, rustix::fs::XattrFlags::empty())
            .map_err(fail("set an extended attribute of"))?;
    }
    if !difference.is_empty()
        && let Some(mode) = wanted.mode
    {
        // An ACL is part of the mode; and the other way round.
        let now = rustix::fs::statat(rustix::fs::CWD, path, rustix::fs::AtFlags::empty())
            .map_err(fail("read the metadata of"))?;
        if now.st_mode & 0o7777 != mode {
            chmod(path, mode).map_err(fail("change the mode of"))?;
        }
    }
    set_mtime(path, now, wanted.mtime).map_err(fail("set the modification time of"))
}

fn chmod(path: &CStr, mode: u32) -> rustix::io::Result<()> {
    rustix::fs::chmodat(rustix::fs::CWD, path, Mode::from_raw_mode(mode), rustix::fs::AtFlags::empty())
}

/// Sets the modification time alone.
pub(crate) fn set_mtime(path: &CStr, now: &Statx, mtime: Mtime) -> rustix::io::Result<()> {
    if (now.stx_mtime.tv_sec, now.stx_mtime.tv_nsec) == (mtime.sec, mtime.nsec) {
        return Ok(());
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.sec, tv_nsec: mtime.nsec.into() },
    };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty())
}
