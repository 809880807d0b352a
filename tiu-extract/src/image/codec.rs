//! Decompresses single squashfs blocks.
//!
//! zstd, the default, has contexts that are reused by each thread; the others go through backhand.

use super::ImageError;
use backhand::compression::{CompressionAction, Compressor, DefaultCompressor};
use std::cell::RefCell;
use std::io;

/// How an image's blocks are compressed.
#[derive(Clone, Copy, Debug)]
pub struct Codec(Compressor);

thread_local! {
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Codec {
    /// The codec of an image's superblock.
    pub fn new(compressor: Compressor) -> Result<Self, ImageError> {
        match compressor {
            Compressor::Uncompressed
            | Compressor::Gzip
            | Compressor::Xz
            | Compressor::Lz4
            | Compressor::Zstd => Ok(Codec(compressor)),
            other => Err(ImageError::Compressor { found: format!("{other:?}").to_lowercase() }),
        }
    }

    /// Decompresses `block` into `out`; gives the number of bytes. More than `out` holds is an error.
    pub fn decompress(self, block: &[u8], out: &mut [u8]) -> io::Result<usize> {
        if matches!(self.0, Compressor::Zstd) {
            return ZSTD.with_borrow_mut(|context| {
                let context = match context {
                    Some(context) => context,
                    None => context.insert(zstd::bulk::Decompressor::new()?),
                };
                context.decompress_to_buffer(block, out)
            });
        }
        // backhand's decoders fill up to the capacity, or grow without a bound for streams: cut by the compressed size's own limit
        // (a block is at most 1 MiB compressed) and refused when the result is longer than a block can be.
        let mut buffer = Vec::with_capacity(out.len());
        DefaultCompressor.decompress(block, &mut buffer, self.0).map_err(io::Error::other)?;
        let Some(space) = out.get_mut(..buffer.len()) else {
            return Err(io::Error::other(format!(
                "a block of {} bytes, expected at most {}",
                buffer.len(),
                out.len()
            )));
        };
        space.copy_from_slice(&buffer);
        Ok(buffer.len())
    }
}
