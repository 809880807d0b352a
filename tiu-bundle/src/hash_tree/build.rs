//! Computes a hash tree in parallel.

use super::levels::{BLOCK, HASH_SIZE, Salt, level_blocks};
use crate::BLOCK_SIZE;
use crate::content_digest::Digest;
use crate::read_at::ReadAt;
use crate::sha256::sha256_salted;
use rayon::prelude::*;
use std::io::{self, Write};
use tiu_system::progress::{Progress, Unit};

/// Blocks that a thread reads at once.
const CHUNK_BLOCKS: usize = 256;

/// Computes the tree of the first `image_size` bytes of `source` in parallel, writes it to `out`,
/// returns the root hash.
///
/// `image_size` must be a multiple of 4096 and not 0. Memory: 1 MiB for each thread, and the tree
/// until it is written, because its top comes first: 8 MiB for each GiB of image. Nothing is
/// written before the whole image was read. The progress is one phase.
pub fn build(
    source: &dyn ReadAt,
    image_size: u64,
    salt: &Salt,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> io::Result<Digest> {
    if image_size == 0 || !image_size.is_multiple_of(BLOCK) {
        let message = format!("the image is {image_size} bytes long, expected a multiple of {BLOCK}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    progress.begin("Computing the hash tree", image_size, Unit::Bytes);
    let hashes = hash_image(source, image_size, salt, progress);
    progress.end();
    let mut levels = vec![hashes?];
    for _ in level_blocks(image_size) {
        let Some(below) = levels.last_mut() else { break };
        below.resize(below.len().next_multiple_of(BLOCK_SIZE), 0);
        let hashes =
            below.par_chunks(BLOCK_SIZE).flat_map_iter(|block| sha256_salted(salt, block).0).collect();
        levels.push(hashes);
    }
    // The last one is a single hash: of the top level's block, or of the image's only block.
    let root = levels.pop().and_then(|root| root.try_into().ok()).map(Digest);
    levels.iter().rev().try_for_each(|level| out.write_all(level))?;
    root.ok_or_else(|| io::Error::other("the hash tree has no single top"))
}

/// Returns the hashes of all blocks of the image, in order.
fn hash_image(
    source: &dyn ReadAt,
    image_size: u64,
    salt: &Salt,
    progress: &dyn Progress,
) -> io::Result<Vec<u8>> {
    let blocks = image_size / BLOCK;
    let size = usize::try_from(blocks).ok().and_then(|blocks| blocks.checked_mul(HASH_SIZE));
    let mut hashes = vec![0; size.ok_or(io::ErrorKind::OutOfMemory)?];
    hashes.par_chunks_mut(CHUNK_BLOCKS * HASH_SIZE).enumerate().try_for_each_init(
        Vec::new,
        |buffer, (i, hashes)| {
            let len = hashes.len() / HASH_SIZE * BLOCK_SIZE;
            buffer.resize(len, 0);
            source.read_exact_at(buffer, i as u64 * CHUNK_BLOCKS as u64 * BLOCK)?;
            let blocks = buffer.as_chunks::<BLOCK_SIZE>().0;
            for (hash, block) in hashes.as_chunks_mut::<HASH_SIZE>().0.iter_mut().zip(blocks) {
                *hash = sha256_salted(salt, block).0;
            }
            progress.advance(len as u64);
            Ok::<_, io::Error>(())
        },
    )?;
    Ok(hashes)
}
