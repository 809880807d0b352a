//! Inode flags that stop changes: immutable and append-only (chattr(1)). An index has none, so the
//! engine clears them on what it owns.

use super::beneath;
use super::error::{EngineError, shown};
use super::tree::{Ownership, ScannedTree};
use rustix::fs::{IFlags, OFlags, Statx, StatxAttributes, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use tiu_bundle::index::Kind;

/// An inode of the host's whose flags were cleared.
#[derive(Clone, Debug)]
pub struct ClearedFlags {
    path: Vec<u8>,
    flags: IFlags,
}

impl ClearedFlags {
    /// Returns the path, relative to the tree.
    pub fn path(&self) -> PathBuf {
        shown(&self.path)
    }
}

fn blocking() -> IFlags {
    IFlags::IMMUTABLE | IFlags::APPEND
}

/// Returns true if the inode has a flag that stops changes.
pub(super) fn is_locked(stat: &Statx) -> bool {
    stat.stx_attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND)
}

/// Clears the flags of every node that is locked and that `chosen` accepts. Returns what was
/// cleared.
pub(super) fn clear(
    root: BorrowedFd,
    tree: &ScannedTree,
    chosen: impl Fn(Ownership, Kind) -> bool,
) -> Result<Vec<ClearedFlags>, EngineError> {
    let mut cleared = Vec::new();
    for (i, node) in (0u32..).zip(&tree.nodes) {
        // Other kinds cannot be opened without an effect, or have no flags.
        if node.locked && matches!(node.kind, Kind::File | Kind::Dir) && chosen(node.ownership, node.kind) {
            let path = tree.path(i);
            if let Some(flags) = clear_at(root, &path)? {
                cleared.push(ClearedFlags { path, flags });
            }
        }
    }
    Ok(cleared)
}

/// Clears the flags of one inode. Returns the flags that it had, if there were any to clear.
fn clear_at(root: BorrowedFd, path: &[u8]) -> Result<Option<IFlags>, EngineError> {
    let io = |operation| move |e: Errno| EngineError::io(operation, path, e);
    let file = match beneath::open_quietly(root, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => file,
        // Removed since the scan.
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(io("open")(e)),
    };
    let flags = ioctl_getflags(&file).map_err(io("read the inode flags of"))?;
    if !flags.intersects(blocking()) {
        return Ok(None);
    }
    ioctl_setflags(&file, flags - blocking()).map_err(io("clear the inode flags of"))?;
    Ok(Some(flags))
}

/// Sets the flags again that were cleared. Ignores a path at which nothing exists any more.
pub fn restore_flags(root: BorrowedFd, cleared: &[ClearedFlags]) -> Result<(), EngineError> {
    for ClearedFlags { path, flags } in cleared {
        let io = |operation| move |e: Errno| EngineError::io(operation, path, e);
        match beneath::open_quietly(root, path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => {
                let now = ioctl_getflags(&file).map_err(io("read the inode flags of"))?;
                let wanted = now | (*flags & blocking());
                ioctl_setflags(&file, wanted).map_err(io("set the inode flags of"))?;
            }
            // A symlink or nothing took its place.
            Err(Errno::NOENT | Errno::LOOP) => {}
            Err(e) => return Err(io("open")(e)),
        }
    }
    Ok(())
}
