//! Inode flags that stop changes. An index has none, so the engine clears them on what it owns.

use super::beneath;
use super::error::EngineError;
use super::tree::{Ownership, ScannedTree};
use rustix::fs::{IFlags, OFlags, Statx, StatxAttributes};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::Kind;
use tiu_system::inode_flags;

/// An inode of the host's whose flags were cleared.
#[derive(Clone, Debug)]
pub struct ClearedFlags {
    pub(super) path: Vec<u8>,
    pub(super) flags: IFlags,
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
    let file = match beneath::open_quietly(root, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => file,
        // Removed since the scan.
        Err(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(EngineError::io("open", path, e)),
    };
    let cleared =
        inode_flags::clear(file).map_err(|e| EngineError::io("clear the inode flags of", path, e))?;
    Ok((!cleared.is_empty()).then_some(cleared))
}

/// Sets the flags again that were cleared. Ignores a path at which nothing exists any more.
pub fn restore_flags(root: BorrowedFd, cleared: &[ClearedFlags]) -> Result<(), EngineError> {
    for ClearedFlags { path, flags } in cleared {
        match beneath::open_quietly(root, path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => inode_flags::restore(file, *flags)
                .map_err(|e| EngineError::io("set the inode flags of", path, e))?,
            // A symlink or nothing took its place.
            Err(Errno::NOENT | Errno::LOOP) => {}
            Err(e) => return Err(EngineError::io("open", path, e)),
        }
    }
    Ok(())
}
