//! Decompresses single blocks, with one crate for each format.
//!
//! The output is a slice of the length that the block may have, so that nothing can grow. Each
//! thread keeps the contexts that are expensive to make.

use crate::image::error::ImageError;
use flate2::{Decompress, FlushDecompress, Status};
use liblzma::stream::{Action, Stream};
use std::cell::RefCell;
use zstd::bulk::Decompressor;

/// The memory in bytes that an xz stream may use: a dictionary is at most one block, 1 MiB.
const XZ_MEMORY: u64 = 16 << 20;

/// The format of compressed blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// zlib streams.
    Gzip,
    /// xz streams.
    Xz,
    /// LZ4 blocks.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

thread_local! {
    static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static GZIP: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

impl Codec {
    /// Returns the compressor with the superblock's number `id`.
    pub fn from_id(id: u16) -> Result<Self, ImageError> {
        let found = match id {
            1 => return Ok(Codec::Gzip),
            4 => return Ok(Codec::Xz),
            5 => return Ok(Codec::Lz4),
            6 => return Ok(Codec::Zstd),
            2 => "lzma".into(),
            3 => "lzo".into(),
            other => format!("compressor number {other}"),
        };
        Err(ImageError::Compressor { found })
    }

    /// Decompresses `stored` into `out` and returns the number of bytes. Fails if they are more
    /// than `out` holds.
    pub fn decompress(self, stored: &[u8], out: &mut [u8]) -> Result<usize, String> {
        match self {
            Codec::Zstd => ZSTD.with_borrow_mut(|context| {
                let context = match context {
                    Some(context) => context,
                    None => context.insert(Decompressor::new().map_err(|e| e.to_string())?),
                };
                context.decompress_to_buffer(stored, out).map_err(|e| e.to_string())
            }),
            Codec::Gzip => GZIP.with_borrow_mut(|context| {
                let context = context.get_or_insert_with(|| Decompress::new(true));
                context.reset(true);
                match context.decompress(stored, out, FlushDecompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(context.total_out()).map_err(|e| e.to_string()),
                    Ok(_) => Err(cut(out)),
                    Err(e) => Err(e.to_string()),
                }
            }),
            Codec::Xz => {
                let mut stream = Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|e| e.to_string())?;
                match stream.process(stored, out, Action::Finish) {
                    Ok(liblzma::stream::Status::StreamEnd) => {
                        usize::try_from(stream.total_out()).map_err(|e| e.to_string())
                    }
                    Ok(_) => Err(cut(out)),
                    Err(e) => Err(e.to_string()),
                }
            }
            Codec::Lz4 => lz4_flex::block::decompress_into(stored, out).map_err(|e| e.to_string()),
        }
    }
}

fn cut(out: &[u8]) -> String {
    format!("it is truncated, or longer than {} bytes", out.len())
}
