//! The limits of reading.

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
