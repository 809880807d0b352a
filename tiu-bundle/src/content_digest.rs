//! The content digest of a file: its fs-verity digest.
//!
//! SHA-256, 4096-byte blocks, no salt, hash of `struct fsverity_descriptor`; the value that
//! `fsverity digest FILE` prints. It is used instead of a plain hash of the file because the kernel
//! can measure it in constant time where fs-verity is enabled, and because it can be computed in
//! any block order. Source: Documentation/filesystems/fsverity.rst.

use crate::BLOCK_SIZE;
use crate::sha256::{sha256, sha256_of_block};
use std::io::{self, Read};

pub use crate::sha256::{Digest, DigestParseError};

/// Size in bytes of `struct fsverity_descriptor`.
const DESCRIPTOR_SIZE: usize = 256;
/// `FS_VERITY_HASH_ALG_SHA256` of linux/fsverity.h.
const HASH_ALGORITHM_SHA256: u8 = 1;
/// log2 of [`BLOCK_SIZE`].
const LOG_BLOCK_SIZE: u8 = 12;
/// Bytes that [`digest_reader`] reads at once.
const READ_SIZE: usize = 64 * 1024;

/// Computes a content digest from a stream of bytes.
///
/// Memory is constant: one partial block for the data and for each level of the Merkle tree (six
/// for the largest file there is).
#[derive(Clone)]
pub struct ContentHasher {
    /// Bytes of a data block that is not complete yet.
    partial: Vec<u8>,
    /// `levels[0]` collects hashes of data blocks, each next one hashes of full blocks of the one
    /// below.
    levels: Vec<Vec<u8>>,
    size: u64,
}

impl ContentHasher {
    /// Returns a hasher of an empty file.
    pub fn new() -> Self {
        ContentHasher { partial: Vec::new(), levels: Vec::new(), size: 0 }
    }

    /// Appends `data`. Whole blocks are hashed where they lie, without a copy.
    pub fn update(&mut self, mut data: &[u8]) {
        self.size = self.size.wrapping_add(data.len() as u64);
        if !self.partial.is_empty() {
            let take = data.len().min(BLOCK_SIZE - self.partial.len());
            let (head, rest) = data.split_at(take);
            self.partial.extend_from_slice(head);
            data = rest;
            if self.partial.len() < BLOCK_SIZE {
                return;
            }
            let hash = sha256_of_block(&self.partial);
            self.partial.clear();
            push(&mut self.levels, 0, &hash);
        }
        let (blocks, rest) = data.as_chunks::<BLOCK_SIZE>();
        for block in blocks {
            push(&mut self.levels, 0, &sha256_of_block(block));
        }
        self.partial.extend_from_slice(rest);
    }

    /// Appends `count` zero bytes, a hole of a sparse file, at the price of a few hashes for each
    /// half megabyte.
    pub fn update_zeros(&mut self, mut count: u64) {
        const ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];
        let block = BLOCK_SIZE as u64;
        let head = count.min((block - self.partial.len() as u64) % block);
        self.update(&ZEROS[..head as usize]);
        count -= head;
        for _ in 0..count / block {
            push(&mut self.levels, 0, &sha256_of_block(&ZEROS));
        }
        self.size = self.size.wrapping_add(count / block * block);
        self.update(&ZEROS[..(count % block) as usize]);
    }

    /// Returns the number of bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the digest of all bytes.
    pub fn finalize(mut self) -> Digest {
        if !self.partial.is_empty() {
            self.partial.resize(BLOCK_SIZE, 0);
            push(&mut self.levels, 0, &sha256_of_block(&self.partial));
        }
        let mut descriptor = [0u8; DESCRIPTOR_SIZE];
        descriptor[0] = 1;
        descriptor[1] = HASH_ALGORITHM_SHA256;
        descriptor[2] = LOG_BLOCK_SIZE;
        descriptor[8..16].copy_from_slice(&self.size.to_le_bytes());
        descriptor[16..48].copy_from_slice(&root_hash(self.levels).0);
        sha256(&descriptor)
    }
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds a hash to a level; a full block of hashes becomes one hash of the next level at once.
fn push(levels: &mut Vec<Vec<u8>>, level: usize, hash: &Digest) {
    if levels.len() == level {
        levels.push(Vec::new());
    }
    let Some(block) = levels.get_mut(level) else { return };
    block.extend_from_slice(&hash.0);
    if block.len() == BLOCK_SIZE {
        let hash = sha256(block);
        block.clear();
        push(levels, level + 1, &hash);
    }
}

/// Returns the hash of the top block: all zeros for an empty file, the hash of the block for a file
/// of one block.
fn root_hash(mut levels: Vec<Vec<u8>>) -> Digest {
    for level in 0.. {
        let is_top = level + 1 >= levels.len();
        let Some(block) = levels.get_mut(level) else { break };
        if is_top && let Ok(root) = block.as_slice().try_into() {
            return Digest(root);
        }
        if !block.is_empty() {
            block.resize(BLOCK_SIZE, 0);
            let hash = sha256(block);
            push(&mut levels, level + 1, &hash);
        }
    }
    Digest([0; 32])
}

/// Returns the digest of `data`.
pub fn digest_bytes(data: &[u8]) -> Digest {
    let mut hasher = ContentHasher::new();
    hasher.update(data);
    hasher.finalize()
}

/// Returns digest and length in bytes of everything that `reader` returns.
pub fn digest_reader(mut reader: impl Read) -> io::Result<(Digest, u64)> {
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hasher.update(buffer.get(..n).unwrap_or(&[])),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let size = hasher.size();
    Ok((hasher.finalize(), size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Sizes around every edge of the tree: blocks, one hash block (128 blocks), two levels of them
    /// (128 * 128 blocks).
    const SIZES: [usize; 10] = [0, 1, 4095, 4096, 4097, 524_288, 524_289, 1_228_817, 67_108_864, 67_108_865];

    fn pattern(size: usize) -> Vec<u8> {
        let mebibyte: Vec<u8> =
            (0..size.min(1 << 20)).map(|i| ((i * 7 + (i >> 8) * 13 + (i >> 16) * 31) & 255) as u8).collect();
        mebibyte.iter().copied().cycle().take(size).collect()
    }

    /// Compares with the output of `fsverity digest` of fsverity-utils 1.5 for the pattern.
    #[test]
    fn known_values() {
        let known = [
            "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
            "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551",
            "a1af7177d2a116e8f575b2b0a94dd400f308aa1e2c9412d1324d191f6c1b272a",
            "dc1f8bf5ee9d486c0d4585878ee812d42a1ff6987b43bcf1b76198cb639fc60e",
            "77966aa2f22bdae9c614f267b9675ca9880f44bd5c6e5a07cde4e1920716b679",
            "84f3d9bcba90403c7b161cc4ab8089424417d16f2fb4800e4968f42b10f381b9",
            "5eff16340cb1b28c0e403f7106075f0ec98a1fe7dec7841caedc33b0fc593459",
            "0889ad80af38b82944ae61e5c8967eb7708f041a3a8c675b61f7a73de95f4447",
            "59247a10030cce57600b8f6af83ec56da164422cdea21035863415952d69103d",
            "da6d446c46a0cbb01d3281772b1f7505934168fc3d27bcaab01acee25789341d",
        ];
        for (size, expected) in SIZES.into_iter().zip(known) {
            assert_eq!(digest_bytes(&pattern(size)).to_string(), expected, "{size} bytes");
        }
    }

    #[test]
    fn holes_are_zero_bytes() {
        let known = [
            (0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"),
            (4095, "5372beb83c78537c8970c8361e3254119fafdf1763854ecd57d3f0fe2da7c719"),
            (524_289, "e4143a5705610b7ad2eb85482cfc033c7062a89b9faf9118603f592d53fd10e0"),
            (67_108_865, "be5993679f703697692cc6ce69e480edc9721baff591795438ae8097275c0687"),
        ];
        for (size, expected) in known {
            let mut hasher = ContentHasher::new();
            hasher.update_zeros(size);
            assert_eq!(hasher.size(), size);
            assert_eq!(hasher.finalize().to_string(), expected, "{size} bytes");
        }
    }

    #[test]
    fn same_as_the_fsverity_program() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for size in SIZES {
            let path = dir.path().join(size.to_string());
            std::fs::write(&path, pattern(size)).expect("a file");
            let output = Command::new("/usr/bin/fsverity")
                .args(["digest", "--compact"])
                .arg(&path)
                .output()
                .expect("fsverity is missing: install the package `fsverity` (Debian) or `fsverity-utils` (openSUSE)");
            assert!(output.status.success(), "{output:?}");
            let (digest, length) =
                digest_reader(std::fs::File::open(&path).expect("the file")).expect("read");
            assert_eq!(length, size as u64);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), digest.to_string(), "{size} bytes");
        }
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            size in 0usize..600_000,
            cuts in prop::collection::vec(1usize..20_000, 1..20),
        ) {
            let data = pattern(size);
            let mut hasher = ContentHasher::new();
            let mut rest = data.as_slice();
            for cut in cuts.iter().cycle() {
                let (head, tail) = rest.split_at(rest.len().min(*cut));
                hasher.update(head);
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(hasher.finalize(), digest_bytes(&data));
        }

        #[test]
        fn holes_anywhere(head in 0usize..10_000, hole in 0u64..20_000, tail in 0usize..10_000) {
            let (head, tail) = (pattern(head), pattern(tail));
            let mut hasher = ContentHasher::new();
            hasher.update(&head);
            hasher.update_zeros(hole);
            hasher.update(&tail);
            let all = [head, vec![0; hole as usize], tail].concat();
            prop_assert_eq!(hasher.finalize(), digest_bytes(&all));
        }
    }
}
