//! The image and its hash tree: sizes, and blocks that were added or changed.

use super::{BLOCKS, error, error_after, error_of, image, layout, open, parts, signer};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::{BundleError, LayoutError, cms_offset};
use tiu_bundle::hash_tree::{VerityError, tree_size};
use tiu_system::progress::Watch;
use tiu_testing::bundles::{Parts, tiny_index};

#[test]
fn verity_size_too_large() {
    let tree = tree_size((BLOCKS * BLOCK_SIZE) as u64);
    let found = layout(error_of(|parts| parts.manifest.verity_size += BLOCK_SIZE as u64));
    assert!(matches!(found, LayoutError::TreeSize { found, .. } if found == tree + 4096), "{found}");
    let found = layout(error_of(|parts| parts.manifest.verity_size = 1 << 40));
    assert!(matches!(found, LayoutError::TreeBeyondFile { .. }), "{found}");
}

#[test]
fn verity_size_too_small() {
    let found = layout(error_of(|parts| parts.manifest.verity_size -= BLOCK_SIZE as u64));
    assert!(matches!(found, LayoutError::TreeSize { .. }), "{found}");
}

#[test]
fn image_not_a_multiple_of_4096() {
    let found = layout(error_after(|bytes| drop(bytes.drain(100..200))));
    assert_eq!(found, LayoutError::ImageSize { found: (BLOCKS * BLOCK_SIZE) as u64 - 100 });
}

#[test]
fn image_of_one_block() {
    let signer = signer();
    let mut parts = Parts::new(image(2), &tiny_index(b""));
    parts.image.truncate(BLOCK_SIZE);
    let found = layout(error(parts.bytes(&signer.certificate, &signer.key), &signer));
    assert_eq!(found, LayoutError::ImageSize { found: 4096 });
}

#[test]
fn block_put_in_front() {
    let found = error_after(|bytes| drop(bytes.splice(0..0, vec![0; BLOCK_SIZE])));
    assert!(matches!(found, BundleError::NotSquashfs { found: [0, 0, 0, 0] }), "{found}");
    // A squashfs of its own in front: that is what was not signed.
    let mut evil = image(1);
    evil[40..48].copy_from_slice(&100u64.to_le_bytes());
    let found = error_after(|bytes| drop(bytes.splice(0..0, evil)));
    assert!(
        matches!(found, BundleError::Verity(VerityError::Mismatch { level: 0, block: 0, .. })),
        "{found}"
    );
}

#[test]
fn block_put_between_image_and_tree() {
    let at = BLOCKS * BLOCK_SIZE;
    let found = error_after(|bytes| drop(bytes.splice(at..at, vec![0; BLOCK_SIZE])));
    // The sizes of image and tree fit each other, but the squashfs knows its own.
    let image_size = at as u64 + 4096;
    assert!(
        matches!(found, BundleError::SquashfsSize { image_size: size, .. } if size == image_size),
        "{found}"
    );
}

#[test]
fn image_is_no_squashfs() {
    let signer = signer();
    let mut image = image(BLOCKS);
    image[..4].copy_from_slice(b"sqsh");
    let parts = Parts::new(image, &tiny_index(b""));
    let found = error(parts.bytes(&signer.certificate, &signer.key), &signer);
    assert!(matches!(found, BundleError::NotSquashfs { found } if &found == b"sqsh"), "{found}");
}

#[test]
fn squashfs_longer_than_the_image() {
    let signer = signer();
    let mut image = image(BLOCKS);
    let image_size = image.len() as u64;
    image[40..48].copy_from_slice(&(image_size + 1).to_le_bytes());
    let parts = Parts::new(image, &tiny_index(b""));
    match error(parts.bytes(&signer.certificate, &signer.key), &signer) {
        BundleError::SquashfsSize { found, image_size: size } => {
            assert_eq!((found, size), (image_size + 1, image_size));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn one_flipped_bit() {
    let signer = signer();
    let good = parts().bytes(&signer.certificate, &signer.key);
    let image = BLOCKS * BLOCK_SIZE;
    // The first block is read when a bundle is opened, and with it a path through the tree: its
    // top, and the first block of its lowest level.
    for (at, level, block) in [(1000, 0, 0), (image + 10, 2, 0), (image + BLOCK_SIZE + 10, 1, 0)] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        match error(bad, &signer) {
            BundleError::Verity(VerityError::Mismatch { level: l, block: b, .. }) => {
                assert_eq!((l, b), (level, block), "byte {at}");
            }
            other => panic!("byte {at}: {other}"),
        }
    }
    // The others are found when they are read.
    for (at, level, block) in [(image / 2, 0, 100), (image - 1, 0, 199), (image + 2 * BLOCK_SIZE + 10, 1, 1)]
    {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let bundle = open(bad, &signer).expect("opened");
        match bundle.image().verify_all(Watch::silent()) {
            Err(VerityError::Mismatch { level: l, block: b, .. }) => {
                assert_eq!((l, b), (level, block), "byte {at}")
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    // In the signature.
    let mut bad = good.clone();
    let at = cms_offset(&good).expect("an offset") as usize + 200;
    bad[at] ^= 1;
    assert!(matches!(error(bad, &signer), BundleError::Signature(_)));
}
