//! Images that no tool makes: a signed one may still be wrong, and must then give an error.

use super::images::mksquashfs;
use crate::image::squashfs::Squashfs;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use tempfile::TempDir;
use tiu_system::path::TreePath;
use tiu_testing::tree::{file, noise};

/// A small image with all of its metadata uncompressed.
fn plain() -> Vec<u8> {
    let root = TempDir::new().unwrap();
    for number in 0..5u64 {
        file(root.path(), &format!("a/small-{number}"), noise(number, 50));
        file(root.path(), &format!("a/b/large-{number}"), noise(number, 9000));
        fs::create_dir(root.path().join(format!("dir-{number}"))).unwrap();
        symlink("target", root.path().join(format!("dir-{number}/link"))).unwrap();
    }
    fs::hard_link(root.path().join("a/small-1"), root.path().join("xx")).unwrap();
    mksquashfs(root.path(), &["-comp", "zstd", "-b", "4096", "-noI", "-noF", "-noD", "-no-xattrs"])
}

fn number(image: &[u8], at: usize) -> usize {
    u64::from_le_bytes(image[at..at + 8].try_into().unwrap()) as usize
}

/// Returns the ranges of the inodes and of the directories, without the headers of their metadata
/// blocks.
fn tables(image: &[u8]) -> (Range<usize>, Range<usize>) {
    let block = |start: usize| {
        let size = u16::from_le_bytes(image[start..start + 2].try_into().unwrap()) & 0x7fff;
        start + 2..start + 2 + usize::from(size)
    };
    (block(number(image, 64)), block(number(image, 72)))
}

fn find(image: &[u8], range: Range<usize>, bytes: &[u8]) -> usize {
    let at = image[range.clone()].windows(bytes.len()).position(|window| window == bytes);
    range.start + at.expect("the table has it")
}

/// Opens the image and reads every file.
fn read_all(image: Vec<u8>) -> Result<u64, String> {
    let image = Squashfs::open(Arc::new(image)).map_err(|e| e.to_string())?;
    let mut paths = Vec::new();
    image.for_each_file(|path| paths.push(path.to_vec())).map_err(|e| e.to_string())?;
    let mut total = 0;
    for path in paths {
        let file =
            image.file(TreePath::new(&path).unwrap()).map_err(|e| e.to_string())?.expect("it was listed");
        // A wrong size may promise terabytes of holes.
        total += io::copy(&mut file.take(1 << 22), &mut io::sink()).map_err(|e| e.to_string())?;
    }
    Ok(total)
}

/// Changes the plain image, which must then be refused with `needle`.
#[track_caller]
fn refused(needle: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut image = plain();
    assert_eq!(read_all(image.clone()), Ok(5 * 9000 + 6 * 50));
    change(&mut image);
    let error = read_all(image).expect_err("it was accepted");
    assert!(error.contains(needle), "{error:?} does not say {needle:?}");
}

fn put<const N: usize>(image: &mut [u8], at: usize, bytes: [u8; N]) {
    image[at..at + N].copy_from_slice(&bytes);
}

#[test]
fn no_squashfs() {
    assert!(read_all(vec![]).unwrap_err().contains("96 bytes at byte 0, but it ends at 0"));
    refused("it begins with 0x21717368, expected 0x73717368", |image| image[3] = b'!');
}

#[test]
fn version_3() {
    refused("version 3.0, expected 4.0", |image| image[28] = 3);
}

#[test]
fn block_size_of_2_mib() {
    refused("blocks of 2097152 bytes (2^21)", |image| {
        put(image, 12, (2u32 << 20).to_le_bytes());
        image[22] = 21;
    });
}

#[test]
fn block_size_that_is_not_its_logarithm() {
    refused("blocks of 4096 bytes (2^13)", |image| image[22] = 13);
    refused("blocks of 4096 bytes (2^77)", |image| image[22] = 77);
}

#[test]
fn compressor_that_nobody_knows() {
    refused("compressed with lzo, expected zstd, xz, gzip, lz4", |image| image[20] = 3);
    refused("compressed with compressor number 9", |image| image[20] = 9);
}

#[test]
fn used_bytes_over_the_image() {
    refused("bytes are in use, but it has", |image| put(image, 40, (1u64 << 40).to_le_bytes()));
}

#[test]
fn cut_image() {
    let image = plain();
    let used = number(&image, 40);
    let directories = tables(&image).1.start;
    for end in [96, 97, 4000, directories, used - 1] {
        let mut image = image[..end].to_vec();
        put(&mut image, 40, (end as u64).to_le_bytes());
        let cut = read_all(image);
        // The last bytes are the owners' table, which is not read.
        assert!(cut.is_err() || end == used - 1, "cut at {end}: {cut:?}");
    }
}

#[test]
fn billions_of_inodes() {
    refused("4294967295 inodes and 1 fragments", |image| put(image, 4, u32::MAX.to_le_bytes()));
}

#[test]
fn billions_of_fragments() {
    refused("4294967295 fragments", |image| put(image, 16, u32::MAX.to_le_bytes()));
}

#[test]
fn tables_outside() {
    refused("but it ends at", |image| put(image, 64, u64::MAX.to_le_bytes()));
    refused("but it ends at", |image| put(image, 72, (1u64 << 50).to_le_bytes()));
    refused("8 bytes at byte 18446744073709551612", |image| put(image, 80, (u64::MAX - 3).to_le_bytes()));
}

#[test]
fn root_that_is_no_directory() {
    // The first inode of the table is that of a file.
    refused("expected a directory", |image| put(image, 32, 0u64.to_le_bytes()));
}

#[test]
fn directory_that_contains_itself() {
    refused("has two names", |image| {
        let root = number(image, 32);
        let directories = tables(image).1;
        let entry = find(image, directories, b"dir-3") - 8;
        put(image, entry, (root as u16).to_le_bytes());
    });
}

#[test]
fn directory_with_two_names() {
    refused("has two names", |image| {
        let directories = tables(image).1;
        let one = find(image, directories.clone(), b"dir-1") - 8;
        let two = find(image, directories, b"dir-2") - 8;
        image.copy_within(one..one + 2, two);
    });
}

#[test]
fn directory_entry_for_a_file_that_is_a_directory() {
    refused("expected a file", |image| {
        let entry = find(image, tables(image).1, b"dir-1") - 8;
        put(image, entry + 4, 2u16.to_le_bytes());
    });
}

#[test]
fn names_that_lead_elsewhere() {
    for (old, new) in [("small-1", "../etc/"), ("small-1", "sm\0ll-1"), ("xx", ".."), ("b", ".")] {
        refused("a file is named", |image| {
            let name = [&[old.len() as u8 - 1, 0], old.as_bytes()].concat();
            let at = find(image, tables(image).1, &name) + 2;
            image[at..at + new.len()].copy_from_slice(new.as_bytes());
        });
    }
}

#[test]
fn same_name_twice() {
    refused("two files named \"small-3\"", |image| {
        let entry = find(image, tables(image).1, b"small-4");
        put(image, entry, *b"small-3");
    });
}

#[test]
fn directory_size_that_cuts_an_entry() {
    refused("do not end at its size", |image| {
        // A basic directory's size follows its block and its number of names; the root's inode is
        // the last.
        let root = tables(image).0.start + (number(image, 32) & 0xffff);
        let at = root + 16 + 8;
        let size = u16::from_le_bytes([image[at], image[at + 1]]);
        put(image, at, (size - 1).to_le_bytes());
    });
}

/// The offset of the inode of the file that has `name`.
fn inode(image: &[u8], name: &[u8]) -> usize {
    let (inodes, directories) = tables(image);
    let entry = find(image, directories, name) - 8;
    inodes.start + usize::from(u16::from_le_bytes([image[entry], image[entry + 1]]))
}

#[test]
fn file_with_blocks_outside() {
    refused("but it ends at", |image| {
        let at = inode(image, b"large-2") + 16;
        put(image, at, 0xffff_0000u32.to_le_bytes());
    });
}

#[test]
fn file_in_a_fragment_that_is_not_there() {
    refused("in fragment 1000 of", |image| {
        let at = inode(image, b"small-2") + 20;
        put(image, at, 1000u32.to_le_bytes());
    });
}

#[test]
fn tail_outside_of_its_fragment() {
    refused("a tail of 50 bytes at byte 4294967295", |image| {
        let at = inode(image, b"small-2") + 24;
        put(image, at, u32::MAX.to_le_bytes());
    });
}

#[test]
fn block_larger_than_a_block() {
    refused("a block of size 0x1001001, expected at most 4096", |image| {
        let at = inode(image, b"large-2") + 32;
        put(image, at, 0x0100_1001u32.to_le_bytes());
    });
}

#[test]
fn block_with_too_little_content() {
    refused("bytes of content, expected 4096", |image| {
        let at = inode(image, b"large-2") + 32;
        put(image, at, 0x0100_0fffu32.to_le_bytes());
    });
}

#[test]
fn stored_block_that_is_said_to_be_compressed() {
    refused("cannot be decompressed", |image| {
        let at = inode(image, b"large-2") + 32;
        put(image, at, 0x1000u32.to_le_bytes());
    });
}

#[test]
fn metadata_block_without_bytes() {
    refused("has 0 bytes, expected 1 to 8192", |image| {
        let at = number(image, 72);
        put(image, at, 0x8000u16.to_le_bytes());
    });
}

/// Changes a few bytes at a time, thousands of times: whatever comes, it is an answer.
#[test]
fn any_change_of_the_metadata_is_an_answer() {
    let image = plain();
    let ranges = [0..96, number(&image, 64)..number(&image, 40)];
    let random = noise(77, 8 * 4 * 6000);
    let mut random =
        random.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()) as usize);
    let mut refused = 0;
    for _ in 0..6000 {
        let mut image = image.clone();
        for range in [&ranges[0], &ranges[1], &ranges[1], &ranges[1]] {
            let change = random.next().unwrap();
            let at = range.start + (change >> 16) % range.len();
            match change % 8 {
                0 => image[at] = 0,
                1 => image[at] = 0xff,
                2 => image[at] ^= 1 << (change >> 8 & 7),
                3 => image[at] = (change >> 8) as u8,
                _ => {}
            }
        }
        refused += usize::from(read_all(image).is_err());
    }
    assert!(refused > 1000, "{refused} were refused: the changes do not reach the metadata");
}
