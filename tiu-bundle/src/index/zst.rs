//! The compressed index: bounded decompression, and the check against the signed manifest.

use super::read::{MAX_ENTRIES, MAX_LINE_SIZE, text_limit};
use super::{Index, IndexError};
use crate::content_digest::Digest;
use sha2::Digest as _;
use std::io::{self, Read, Write};
use zstd::stream::{read, write};

/// log2 of the largest zstd window that is read and written: 8 MiB, what levels up to 19 use.
const WINDOW_LOG: u32 = 23;

impl Index {
    /// Decompresses an index, compares the SHA-256 of its text with `expected`, and checks it.
    ///
    /// `entries` and `verity_size` are the number of entries and the size of the hash tree that the
    /// manifest says. They bound the text (see [`text_limit`]): decompression stops at more lines,
    /// a longer line or more text. Nothing is used before the digest is compared.
    pub fn read_zst(
        reader: impl Read,
        expected: &Digest,
        entries: u64,
        verity_size: u64,
    ) -> Result<Self, IndexError> {
        if entries > MAX_ENTRIES {
            return Err(IndexError::TooManyEntries { found: entries, limit: MAX_ENTRIES });
        }
        let (text, found) = decompress(reader, entries, text_limit(entries, verity_size))?;
        if found != *expected {
            return Err(IndexError::DigestMismatch { found, expected: *expected });
        }
        let index = Index::parse(text)?;
        match index.len() as u64 {
            found if found != entries => Err(IndexError::EntryCount { found, expected: entries }),
            _ => Ok(index),
        }
    }
}

/// Returns the text and its SHA-256.
fn decompress(reader: impl Read, entries: u64, limit: u64) -> Result<(Vec<u8>, Digest), IndexError> {
    let mut source = Source { reader, error: None };
    let mut decoder = read::Decoder::new(&mut source).map_err(IndexError::Io)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(IndexError::Io)?;
    let mut text = Vec::new();
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let (mut lines, mut line_size) = (0u64, 0usize);
    loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) => {
                drop(decoder);
                return Err(match (source.error, e.kind()) {
                    (Some(e), _) => IndexError::Io(e),
                    (None, io::ErrorKind::UnexpectedEof) => {
                        IndexError::CutStream { text_size: text.len() as u64 }
                    }
                    (None, _) => IndexError::Zstd(e.to_string()),
                });
            }
        };
        for part in read.split_inclusive(|c| *c == b'\n') {
            line_size += part.len();
            if line_size > MAX_LINE_SIZE {
                return Err(IndexError::LineTooLong { line: lines + 1, limit: MAX_LINE_SIZE });
            }
            if part.ends_with(b"\n") {
                (lines, line_size) = (lines + 1, 0);
            }
        }
        if lines > entries {
            return Err(IndexError::TooManyEntries { found: lines, limit: entries });
        }
        if (text.len() + read.len()) as u64 > limit {
            return Err(IndexError::TooLarge { limit });
        }
        hasher.update(read);
        text.extend_from_slice(read);
    }
    let mut rest = decoder.finish();
    match io::copy(&mut rest.by_ref().take(1), &mut io::sink()) {
        Ok(0) => Ok((text, Digest(hasher.finalize().into()))),
        Ok(_) => Err(IndexError::TrailingBytes),
        Err(e) => Err(IndexError::Io(e)),
    }
}

/// Keeps the reader's own error apart from those of the decompressor.
struct Source<R> {
    reader: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::Interrupted => e,
            kind => {
                self.error = Some(e);
                kind.into()
            }
        })
    }
}

/// Compresses the text of an index as [`Index::read_zst`] reads it: one frame with a checksum,
/// window at most 8 MiB. The same text and level produce the same bytes.
pub fn write_zst(text: &[u8], level: i32, out: impl Write) -> io::Result<()> {
    let mut encoder = write::Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(text.len() as u64))?;
    if level > 19 {
        encoder.window_log(WINDOW_LOG)?;
    }
    encoder.write_all(text)?;
    encoder.finish()?.flush()
}
