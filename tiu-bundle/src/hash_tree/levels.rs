//! Sizes: blocks, hashes and the levels of the tree.

use crate::BLOCK_SIZE;

/// Salt of a hash tree.
pub type Salt = [u8; 32];

pub(super) const BLOCK: u64 = BLOCK_SIZE as u64;
pub(super) const HASH_SIZE: usize = 32;
/// Hashes in a hash block.
pub(super) const HASHES: usize = BLOCK_SIZE / HASH_SIZE;

/// Returns the size in bytes of the hash tree for an image of `image_size` bytes (a multiple of
/// 4096).
pub fn tree_size(image_size: u64) -> u64 {
    // Never more than a 127th of the image, so nothing overflows.
    level_blocks(image_size).iter().sum::<u64>() * BLOCK
}

/// Returns the number of hash blocks of each level, from the lowest up; empty for an image of at
/// most one block.
pub(super) fn level_blocks(image_size: u64) -> Vec<u64> {
    let mut blocks = image_size.div_ceil(BLOCK);
    let mut levels = Vec::new();
    while blocks > 1 {
        blocks = blocks.div_ceil(HASHES as u64);
        levels.push(blocks);
    }
    levels
}
