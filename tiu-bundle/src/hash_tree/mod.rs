//! The dm-verity hash tree: version 1, no superblock, 4096-byte data and hash blocks, `sha256(salt
//! || block)`, 32-byte salt, top level first. Source:
//! Documentation/admin-guide/device-mapper/verity.rst.
//!
//! A hash block holds the hashes of 128 blocks of the level below, padded with zeros. The root hash
//! is the hash of the one block of the top level; an image of a single block has no tree, and its
//! root hash is the hash of that block.

mod build;
mod levels;
mod verify;

pub use build::build;
pub use levels::{Salt, tree_size};
pub use verify::{VerifiedImage, VerityError};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BLOCK_SIZE;
    use crate::content_digest::Digest;
    use crate::hash_tree::levels::BLOCK;
    use crate::read_at::ReadAt;
    use crate::sha256::sha256;
    use proptest::prelude::*;
    use std::process::Command;
    use std::sync::Arc;
    use tiu_system::progress::{Cancel, Silent, Watch};

    const SALT: Salt = *b"0123456789abcdef0123456789abcdef";
    /// Numbers of blocks around every edge of the tree.
    const BLOCKS: [usize; 8] = [1, 2, 127, 128, 129, 256, 128 * 128, 128 * 128 + 1];

    fn image(blocks: usize) -> Vec<u8> {
        (0..blocks * BLOCK_SIZE).map(|i| ((i * 31) ^ (i >> 9) ^ (i >> 17)) as u8).collect()
    }

    fn built(image: &[u8]) -> (Vec<u8>, Digest) {
        let mut tree = Vec::new();
        let root = build(&image.to_vec(), image.len() as u64, &SALT, &mut tree, &Silent).expect("a tree");
        (tree, root)
    }

    /// The definition, as slow and simple as it gets.
    fn oracle(data: &[u8]) -> (Vec<u8>, Digest) {
        let hash = |block: &[u8]| sha256(&[&SALT, block].concat());
        let mut levels: Vec<Vec<u8>> = Vec::new();
        let mut below = data.to_vec();
        while below.len() > BLOCK_SIZE {
            let mut level: Vec<u8> = below.chunks(BLOCK_SIZE).flat_map(|block| hash(block).0).collect();
            level.resize(level.len().next_multiple_of(BLOCK_SIZE), 0);
            levels.push(level.clone());
            below = level;
        }
        levels.reverse();
        (levels.concat(), hash(&below))
    }

    fn verified(image: &[u8], tree: &[u8], root: Digest) -> VerifiedImage {
        VerifiedImage::new(Arc::new([image, tree].concat()), image.len() as u64, SALT, root)
    }

    #[test]
    fn sizes_of_trees() {
        let cases =
            [(0, 0), (1, 0), (2, 1), (128, 1), (129, 3), (128 * 128, 129), (128 * 128 + 1, 129 + 1 + 2)];
        for (blocks, expected) in cases {
            assert_eq!(tree_size(blocks * BLOCK), expected * BLOCK, "{blocks} blocks");
        }
        // The largest size there is needs no more than its share, and does not overflow.
        assert!(tree_size(u64::MAX) < u64::MAX / 126);
    }

    #[test]
    fn same_as_veritysetup() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for blocks in BLOCKS {
            let image = image(blocks);
            let (tree, root) = built(&image);
            assert_eq!(tree.len() as u64, tree_size(image.len() as u64));
            let (image_file, tree_file) = (dir.path().join("image"), dir.path().join("tree"));
            std::fs::write(&image_file, &image).expect("a file");
            std::fs::write(&tree_file, &tree).expect("a file");
            let salt: String = SALT.iter().map(|b| format!("{b:02x}")).collect();
            let output = Command::new("/usr/sbin/veritysetup")
                .args(["verify", "--no-superblock", "--format=1", "--hash=sha256", "--data-block-size=4096"])
                .args(["--hash-block-size=4096", &format!("--data-blocks={blocks}"), &format!("--salt={salt}")])
                .args([&image_file, &tree_file])
                .arg(root.to_string())
                .output()
                .expect("veritysetup is missing: install the package `cryptsetup-bin` (Debian) or `cryptsetup` (openSUSE)");
            assert!(output.status.success(), "{blocks} blocks: {output:?}");
        }
    }

    #[test]
    fn all_levels_are_verified() {
        for blocks in BLOCKS {
            let image = image(blocks);
            let (tree, root) = built(&image);
            let verified = verified(&image, &tree, root);
            verified.verify_all(Watch::silent()).expect("a good image");
            let mut read = vec![0; image.len()];
            verified.read_exact_at(&mut read, 0).expect("a good image");
            assert_eq!(read, image);
        }
    }

    fn mismatch(error: VerityError) -> (u32, u64) {
        match error {
            VerityError::Mismatch { level, block, .. } => (level, block),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn one_flipped_bit_in_the_image() {
        let good = image(300);
        let (tree, root) = built(&good);
        for block in [0, 127, 128, 150, 299] {
            let mut bad = good.clone();
            bad[block * BLOCK_SIZE + 1000] ^= 1;
            let verified = verified(&bad, &tree, root);
            let error = verified.verify_all(Watch::silent()).expect_err("damaged");
            assert_eq!(mismatch(error), (0, block as u64));
            let error =
                verified.read_exact_at(&mut [0; 10], (block * BLOCK_SIZE) as u64).expect_err("damaged");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            let inner =
                error.into_inner().and_then(|e| e.downcast::<VerityError>().ok()).expect("a VerityError");
            assert_eq!(mismatch(*inner), (0, block as u64));
            // What lies beside it can be read.
            let beside = if block == 0 { 1 } else { block - 1 };
            verified.read_exact_at(&mut [0; BLOCK_SIZE], (beside * BLOCK_SIZE) as u64).expect("not damaged");
        }
    }

    #[test]
    fn one_flipped_bit_in_each_level_of_the_tree() {
        let image = image(128 * 128 + 1);
        let (good, root) = built(&image);
        // From the front: level 3 (1 block), level 2 (2 blocks), level 1 (129 blocks).
        for (at, expected) in
            [(0, (3, 0)), (1, (2, 0)), (2, (2, 1)), (3, (1, 0)), (70, (1, 67)), (131, (1, 128))]
        {
            for bit in [0, 4095] {
                let mut bad = good.clone();
                bad[at * BLOCK_SIZE + bit] ^= 0x80;
                let error = verified(&image, &bad, root).verify_all(Watch::silent()).expect_err("damaged");
                assert_eq!(mismatch(error), expected, "block {at} of the tree");
            }
        }
    }

    #[test]
    fn another_root_hash_or_salt() {
        let image = image(2);
        let (tree, root) = built(&image);
        let other = verified(&image, &tree, Digest([7; 32]));
        assert_eq!(mismatch(other.verify_all(Watch::silent()).expect_err("other root")), (1, 0));
        let other = VerifiedImage::new(Arc::new([image, tree].concat()), 2 * BLOCK, [0; 32], root);
        assert_eq!(mismatch(other.verify_all(Watch::silent()).expect_err("other salt")), (1, 0));
    }

    #[test]
    fn cut_source() {
        let image = image(200);
        let (tree, root) = built(&image);
        let cut = verified(&image, &tree[..tree.len() - 1], root);
        match cut.verify_all(Watch::silent()) {
            Err(VerityError::Io { offset, source }) => {
                assert_eq!(offset, 202 * BLOCK);
                assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_outside_of_the_image() {
        let image = image(2);
        let (tree, root) = built(&image);
        let verified = verified(&image, &tree, root);
        assert_eq!(verified.size(), 2 * BLOCK);
        for (offset, len) in [(2 * BLOCK, 1), (BLOCK, BLOCK_SIZE + 1), (u64::MAX, 1), (u64::MAX - 4095, 4096)]
        {
            let error = verified.read_exact_at(&mut vec![0; len], offset).expect_err("outside");
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{len} bytes at {offset}");
        }
        verified.read_exact_at(&mut [], 2 * BLOCK).expect("nothing at the end");
    }

    #[test]
    fn sizes_that_have_no_tree() {
        for size in [0usize, 1, 4095, 4097] {
            let result = build(&vec![0u8; size], size as u64, &SALT, &mut Vec::new(), &Silent);
            assert_eq!(result.expect_err("bad size").kind(), std::io::ErrorKind::InvalidInput, "{size}");
            let verified = VerifiedImage::new(Arc::new(vec![0u8; 9000]), size as u64, SALT, Digest([0; 32]));
            let error = verified.verify_all(Watch::silent()).expect_err("bad size");
            assert!(matches!(error, VerityError::Size { size: found } if found == size as u64), "{error}");
            if size > 0 {
                let error = verified.read_exact_at(&mut [0], 0).expect_err("bad size");
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            }
        }
    }

    #[test]
    fn cancelled() {
        let image = image(200);
        let (tree, root) = built(&image);
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(
            verified(&image, &tree, root).verify_all(Watch::without_progress(&cancel)),
            Err(VerityError::Cancelled(_))
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn same_as_the_definition(blocks in 1usize..400) {
            let image = image(blocks);
            prop_assert_eq!(built(&image), oracle(&image));
        }

        #[test]
        fn any_range_is_what_was_written(ranges in prop::collection::vec((0usize..300 * 4096, 0usize..600_000), 1..20)) {
            let image = image(300);
            let (tree, root) = built(&image);
            let verified = verified(&image, &tree, root);
            for (start, len) in ranges {
                let expected = &image[start..image.len().min(start + len)];
                let mut read = vec![0; expected.len()];
                verified.read_exact_at(&mut read, start as u64).map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert!(read == expected);
            }
        }
    }
}
