//! Images whose blocks are not what was signed.

use super::kit::{Found, Kit, bad_bytes, good};
use tiu_bundle::BLOCK_SIZE;
use tiu_testing::tree::{self, noise};

/// Returns the offset of the hash tree in the good bundle: at its end are a trailer, the CMS, and
/// three blocks of hashes.
fn hashes(bytes: &Vec<u8>) -> usize {
    tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - 3 * BLOCK_SIZE
}

bad_bytes! {
    image_not_a_multiple_of_4096, Found::Opening,
        ["bytes long, expected a multiple of 4096, at least 8192: bytes were lost or added"],
        |bytes| drop(bytes.drain(100..200));
    block_of_zeros_put_in_front, Found::Opening,
        ["the image is not a squashfs: it starts with [00, 00, 00, 00], expected"],
        |bytes| drop(bytes.splice(0..0, [0; BLOCK_SIZE]));
    block_of_a_squashfs_put_in_front, Found::Opening, ["block 0 of the image is damaged: its hash is", "the hash tree says"],
        |bytes| {
            let first = bytes[..BLOCK_SIZE].to_vec();
            drop(bytes.splice(0..0, first).collect::<Vec<_>>());
            bytes[100] ^= 1;
        };
    block_put_between_image_and_hash_tree, Found::Opening, ["which does not fit an image of", "blocks were lost or added"],
        |bytes| {
            let at = hashes(bytes);
            drop(bytes.splice(at..at, [0; BLOCK_SIZE]));
        };
    block_taken_out_of_the_image, Found::Opening, ["which does not fit an image of", "blocks were lost or added"],
        |bytes| drop(bytes.drain(40 * BLOCK_SIZE..41 * BLOCK_SIZE));
    flipped_bit_in_the_first_block, Found::Opening, ["block 0 of the image is damaged: its hash is", "the hash tree says"],
        |bytes| bytes[1000] ^= 1;
    flipped_bit_in_the_highest_hash_level, Found::Opening, ["block 0 of hash level 2 is damaged: its hash is"],
        |bytes| {
            let at = hashes(bytes);
            bytes[at + 10] ^= 1;
        };
    flipped_bit_in_the_first_block_of_the_lowest_hash_level, Found::Opening, ["block 0 of hash level 1 is damaged: its hash is"],
        |bytes| {
            let at = hashes(bytes);
            bytes[at + BLOCK_SIZE + 10] ^= 1;
        };
    // The tables of the squashfs lie at its end.
    flipped_bit_in_the_last_block_of_the_lowest_hash_level, Found::Listing, ["block 1 of hash level 1 is damaged: its hash is"],
        |bytes| {
            let at = hashes(bytes);
            bytes[at + 2 * BLOCK_SIZE + 10] ^= 1;
        };
    flipped_bit_in_the_last_block, Found::Listing, ["of the image is damaged: its hash is", "the hash tree says"],
        |bytes| {
            let at = hashes(bytes);
            bytes[at - BLOCK_SIZE + 10] ^= 1;
        };
}

/// A bundle whose file `a` fills more than 128 blocks in the middle of the image, with one bit of
/// it flipped.
#[test]
fn flipped_bit_in_a_middle_block() {
    let kit = Kit::new();
    let content = noise(8, 900_000);
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "a", &content);
    let index = tiu_testing::bundles::tiny_index(&content);
    let image = tiu_testing::bundles::image(root.path(), Some(&super::kit::zst(&index)));
    let mut bytes = kit.bytes(&tiu_testing::bundles::Parts::new(image, &index));
    bytes[100 * BLOCK_SIZE + 7] ^= 0x10;
    let needles =
        ["block 100 of the image is damaged: its hash is", "the hash tree says", "fetch the bundle again"];
    kit.refused(&kit.file(&bytes), Found::Reading, &needles);
}

/// A block that holds nothing which is extracted: only `verify` reads it, and what is extracted is
/// what was signed.
#[test]
fn flipped_bit_in_a_block_that_is_not_needed() {
    let kit = Kit::new();
    let mut bytes = kit.bytes(&good());
    bytes[100 * BLOCK_SIZE + 7] ^= 0x10;
    let bundle = kit.file(&bytes);
    kit.run("verify", [&bundle]).refused(&["block 100 of the image is damaged: its hash is"]);
    kit.run("extract", [&bundle, &kit.path("new")]).succeeded();
    assert_eq!(std::fs::read(kit.path("new/a")).unwrap(), super::kit::CONTENT);
}
