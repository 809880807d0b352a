//! The compression of the image.

use serde::Deserialize;

/// The compression of the image.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compression {
    /// Algorithm.
    #[serde(default)]
    pub compressor: Compressor,
    /// Level; default: the compressor's own (15 for zstd).
    pub level: Option<u32>,
    /// Bytes that are compressed together: a power of two from 4096 (4 KiB) to 1048576 (1 MiB).
    #[serde(default)]
    pub block_size: BlockSize,
}

/// Algorithms that both the kernel and the client read.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Compressor {
    /// Levels 1 to 22, 15 by default.
    #[default]
    Zstd,
    /// Levels 0 to 9, 6 by default.
    Xz,
    /// Levels 1 to 9, 9 by default.
    Gzip,
    /// No levels.
    Lz4,
}

impl Compressor {
    /// Returns the name that tar2sqfs uses.
    pub fn name(self) -> &'static str {
        match self {
            Compressor::Zstd => "zstd",
            Compressor::Xz => "xz",
            Compressor::Gzip => "gzip",
            Compressor::Lz4 => "lz4",
        }
    }

    /// Returns the levels that it has.
    pub(super) fn levels(self) -> Option<std::ops::RangeInclusive<u32>> {
        match self {
            Compressor::Zstd => Some(1..=22),
            Compressor::Xz => Some(0..=9),
            Compressor::Gzip => Some(1..=9),
            Compressor::Lz4 => None,
        }
    }
}

/// Bytes that are compressed together.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct BlockSize(pub u32);

impl Default for BlockSize {
    fn default() -> Self {
        BlockSize(128 * 1024)
    }
}
