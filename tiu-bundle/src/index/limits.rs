//! The limits of an index and of its values.

use std::ops::RangeInclusive;

/// Longest path in bytes, with its leading slash (Linux' PATH_MAX).
pub const MAX_PATH: usize = 4096;
/// Longest path component in bytes (NAME_MAX).
pub const MAX_NAME: usize = 255;
/// Longest target of a symbolic link in bytes (PATH_MAX without the NUL).
pub const MAX_TARGET: usize = 4095;
/// Longest name of an extended attribute in bytes (XATTR_NAME_MAX).
pub const MAX_XATTR_NAME: usize = 255;
/// Longest value of an extended attribute in bytes (XATTR_SIZE_MAX).
pub const MAX_XATTR_VALUE: usize = 65536;
/// Longest list of names of extended attributes in bytes, each with a NUL (XATTR_LIST_MAX).
pub const MAX_XATTR_LIST: usize = 65536;
/// Largest number of a user or group: Linux uses 4294967295 for "none", and no file can have it.
pub const MAX_ID: u32 = u32::MAX - 1;
/// Largest device number: what Linux keeps of one, 12 bits of major and 20 of minor number.
pub const MAX_DEVICE: u64 = u32::MAX as u64;
/// Seconds of the earliest and the latest time: what ext4 can hold (1901-12-13 to 2446-05-10), and
/// so also btrfs. A time that the target's filesystem cannot hold would be another one there.
pub const TIMES: RangeInclusive<i64> = -(1 << 31)..=(1 << 34) - (1 << 31) - 1;

/// Longest text that is read, in bytes; see [`text_limit`].
pub const MAX_TEXT_SIZE: u64 = 1 << 30;
/// Most entries that are read.
pub const MAX_ENTRIES: u64 = 4_000_000;
/// Longest line in bytes: a path and a link's target with every byte escaped, and three of the
/// longest extended attributes.
pub const MAX_LINE_SIZE: usize = 1 << 20;

/// Shortest line after the root's in bytes, with its newline: `/a 0 10644 1 0 0 0 0.0 - - -`.
pub const MIN_LINE_SIZE: u64 = 29;
/// Bytes of text that the index of the smallest image can have.
const SMALL_TEXT: u64 = 16 << 20;
/// Bytes of text for each byte of hash tree, which is a 128th of the image: 64 for each byte of the
/// image.
const TEXT_PER_TREE: u64 = 64 * 128;

/// Returns the size of the longest text of an index in bytes. `entries` and `verity_size` are those
/// of the manifest.
///
/// There are two bounds. A line has at most 4096 bytes on average (a usual one has 250), and one
/// longest line is free. And the image bounds the text, because a small file must not take much
/// memory, regardless of how many entries it claims: 16 MiB, and 64 bytes for each byte of the
/// image. The compressed index is a part of the image, and digests do not compress: text of real
/// systems has four times the size of the compressed index and a 20th of the image's.
pub fn text_limit(entries: u64, verity_size: u64) -> u64 {
    let by_entries = entries.saturating_mul(4096).saturating_add(MAX_LINE_SIZE as u64);
    let by_image = verity_size.saturating_mul(TEXT_PER_TREE).saturating_add(SMALL_TEXT);
    by_entries.min(by_image).min(MAX_TEXT_SIZE)
}
