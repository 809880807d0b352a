//! The inode flags that an image does not keep, with the paths that have them.

use crate::plan::LeftOut;
use crate::tree::{FLAGS, Flag};
use rustix::fs::IFlags;
use std::collections::BTreeMap;

/// The flags that are lost, with the files and directories that have them.
pub type LostFlags = BTreeMap<Flag, LeftOut>;

/// Adds an inode with `flags` to `lost`.
pub(crate) fn add(lost: &mut LostFlags, flags: IFlags, path: &[u8], size: u64) {
    for (_, flag) in FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)) {
        lost.entry(*flag).or_default().add(path, size);
    }
}
