//! Every byte of every file, for every compressor, block size and layout.

use super::images::{assert_same, content, files, mksquashfs, pack, tree};
use crate::image::squashfs::Squashfs;
use std::fs;
use std::sync::Arc;
use std::thread;
use tiu_bundle::hash_tree::{self, VerifiedImage};
use tiu_system::path::TreePath;
use tiu_system::progress::Silent;

#[test]
fn every_compressor_gives_every_byte() {
    let tree = tree(128 << 10);
    for compressor in ["zstd", "gzip", "xz", "lz4"] {
        assert_same(tree.path(), mksquashfs(tree.path(), &["-comp", compressor]), compressor);
    }
}

#[test]
fn every_block_size_gives_every_byte() {
    for size in [4 << 10, 16 << 10, 1 << 20] {
        let tree = tree(size);
        let argument = size.to_string();
        assert_same(tree.path(), mksquashfs(tree.path(), &["-comp", "zstd", "-b", &argument]), &argument);
    }
}

#[test]
fn every_layout_gives_every_byte() {
    let tree = tree(16 << 10);
    for options in [
        &["-no-fragments"] as &[&str],
        &["-always-use-fragments"],
        &["-no-duplicates"],
        &["-no-sparse"],
        &["-noI", "-noD", "-noF", "-noX"],
        &["-noD"],
        &["-noF"],
        &["-no-exports", "-no-xattrs"],
        &["-nopad"],
    ] {
        let arguments = [&["-comp", "zstd", "-b", "16384"], options].concat();
        assert_same(tree.path(), mksquashfs(tree.path(), &arguments), &format!("{options:?}"));
    }
}

#[test]
fn filtered_xz_gives_every_byte() {
    let tree = tree(16 << 10);
    let arguments = ["-comp", "xz", "-Xbcj", "x86,arm", "-Xdict-size", "100%"];
    assert_same(tree.path(), mksquashfs(tree.path(), &arguments), "xz with BCJ filters");
}

#[test]
fn images_of_gensquashfs_give_every_byte() {
    let tree = tree(64 << 10);
    for compressor in ["zstd", "gzip", "xz", "lz4"] {
        let arguments = ["--compressor", compressor, "--block-size", "65536"];
        let image = pack("gensquashfs", "squashfs-tools-ng", tree.path(), &arguments);
        assert_same(tree.path(), image, compressor);
    }
}

#[test]
fn what_is_no_regular_file_is_not_found() {
    let tree = tree(4096);
    let image = Squashfs::open(Arc::new(mksquashfs(tree.path(), &["-comp", "zstd", "-b", "4096"]))).unwrap();
    for path in ["", "link", "empty", "many", "missing", "large/of"] {
        let path = TreePath::literal(path);
        assert!(image.file(path).unwrap().is_none(), "{path}");
        assert_eq!(image.position(path), None, "{path}");
    }
    for path in ["large/", "/large", "dir/../large", "dir//of/hard-link"] {
        assert!(TreePath::new(path).is_err(), "{path}");
    }
    assert!(image.file(TreePath::literal("large")).unwrap().is_some());
}

#[test]
fn names_of_one_inode_have_one_position() {
    let tree = tree(4096);
    let image = Squashfs::open(Arc::new(mksquashfs(tree.path(), &["-comp", "zstd", "-b", "4096"]))).unwrap();
    assert_eq!(
        image.position(TreePath::literal("another-name")),
        image.position(TreePath::literal("dir/of/hard-link"))
    );
    assert_eq!(
        image.position(TreePath::literal("large")),
        image.position(TreePath::literal("again")),
        "duplicates share their blocks"
    );
    assert_ne!(image.position(TreePath::literal("large")), image.position(TreePath::literal("another-name")));
}

#[test]
fn many_threads_read_at_once() {
    let tree = tree(16 << 10);
    let arguments = ["-comp", "zstd", "-b", "16384", "-always-use-fragments"];
    let image = Squashfs::open(Arc::new(mksquashfs(tree.path(), &arguments))).unwrap();
    let files = files(tree.path());
    thread::scope(|scope| {
        for first in 0..4 {
            let (files, image, root) = (&files, &image, tree.path());
            scope.spawn(move || {
                for path in files.iter().cycle().skip(first * files.len() / 4).take(files.len()) {
                    assert_eq!(
                        content(image, path, 9999),
                        fs::read(root.join(path)).unwrap(),
                        "{}",
                        path.display()
                    );
                }
            });
        }
    });
}

/// The image as a bundle has it: padded, behind a hash tree.
fn verified(mut image: Vec<u8>, damage: impl FnOnce(&mut Vec<u8>)) -> VerifiedImage {
    image.resize(image.len().next_multiple_of(4096), 0);
    let size = image.len() as u64;
    let mut hashes = Vec::new();
    let root = hash_tree::build(&image, size, &[1; 32], &mut hashes, &Silent).unwrap();
    damage(&mut image);
    image.extend(hashes);
    VerifiedImage::new(Arc::new(image), size, [1; 32], root)
}

#[test]
fn a_verified_image_gives_every_byte() {
    let tree = tree(128 << 10);
    let image = verified(mksquashfs(tree.path(), &["-comp", "zstd"]), |_| ());
    let image = Squashfs::open(Arc::new(image)).unwrap();
    for path in files(tree.path()) {
        assert!(
            content(&image, &path, 1 << 17) == fs::read(tree.path().join(&path)).unwrap(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn one_flipped_bit_in_a_data_block_fails_the_read_with_its_block() {
    let tree = tree(128 << 10);
    let plain = mksquashfs(tree.path(), &["-comp", "zstd", "-b", "65536"]);
    let position =
        Squashfs::open(Arc::new(plain.clone())).unwrap().position(TreePath::literal("large")).unwrap();
    let at = position as usize + 5000;
    let image = Squashfs::open(Arc::new(verified(plain, |image| image[at] ^= 4))).unwrap();
    let mut reader = image.file(TreePath::literal("large")).unwrap().unwrap();
    let error = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let expected = format!("block {} of the image is damaged", at / 4096);
    assert!(error.to_string().contains(&expected), "{error}");
    let fine = tree.path().join("noise/1");
    assert_eq!(content(&image, fine.strip_prefix(tree.path()).unwrap(), 10), fs::read(&fine).unwrap());
}

#[test]
fn one_flipped_bit_in_the_metadata_fails_the_opening_with_its_block() {
    let tree = tree(4096);
    let plain = mksquashfs(tree.path(), &["-comp", "zstd", "-b", "65536"]);
    let table = u64::from_le_bytes(plain[64..72].try_into().unwrap()) as usize;
    let error = Squashfs::open(Arc::new(verified(plain, |image| image[table + 9] ^= 1))).err().unwrap();
    let expected = format!("block {} of the image is damaged", (table + 9) / 4096);
    assert!(error.to_string().contains(&expected), "{error}");
}
