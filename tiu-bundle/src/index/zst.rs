//! The compressed index: bounded decompression, and the check against the signed manifest.

use super::check::Checker;
use super::limits::{MAX_ENTRIES, MAX_LINE_SIZE, text_limit};
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
    /// a longer line or more text. Lines are checked as they come, so that the whole text is never in
    /// memory; nothing is returned of them, not even an error, before the digest is compared.
    pub fn read_zst(
        reader: impl Read,
        expected: &Digest,
        entries: u64,
        verity_size: u64,
    ) -> Result<Self, IndexError> {
        if entries > MAX_ENTRIES {
            return Err(IndexError::TooManyEntries { found: entries, limit: MAX_ENTRIES });
        }
        let mut lines = CheckedLines { checker: Checker::new(), wrong: None };
        let found = decompress(reader, entries, text_limit(entries, verity_size), |text| lines.add(text))?;
        if found != *expected {
            return Err(IndexError::DigestMismatch { found, expected: *expected });
        }
        let index = lines.finish()?;
        match index.len() as u64 {
            found if found != entries => Err(IndexError::EntryCount { found, expected: entries }),
            _ => Ok(index),
        }
    }

    /// Compresses the text as [`write_zst`] does.
    pub fn write_zst(&self, level: i32, out: impl Write) -> io::Result<()> {
        let mut encoder = encoder(self.text_size(), level, out)?;
        let mut line = Vec::new();
        let mut lines = self.blocks().lines(0);
        while let Some((block, number)) = lines.advance() {
            line.clear();
            block.write_line(number, &mut line);
            encoder.write_all(&line)?;
        }
        encoder.finish()?.flush()
    }
}

/// Lines that are checked as they come. The first error is kept: it counts only if the text is the
/// one that was signed.
struct CheckedLines {
    checker: Checker,
    wrong: Option<IndexError>,
}

impl CheckedLines {
    fn add(&mut self, text: &[u8]) {
        if self.wrong.is_none() {
            self.wrong = self.checker.feed(text).err();
        }
    }

    fn finish(self) -> Result<Index, IndexError> {
        match self.wrong {
            Some(error) => Err(error),
            None => self.checker.finish(),
        }
    }
}

/// Passes the text to `each` in pieces, and returns its SHA-256.
fn decompress(
    reader: impl Read,
    entries: u64,
    limit: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<Digest, IndexError> {
    let mut source = Source { reader, error: None };
    let mut decoder = read::Decoder::new(&mut source).map_err(IndexError::Io)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(IndexError::Io)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let (mut text_size, mut lines, mut line_size) = (0u64, 0u64, 0usize);
    loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) => {
                drop(decoder);
                return Err(match (source.error, e.kind()) {
                    (Some(e), _) => IndexError::Io(e),
                    (None, io::ErrorKind::UnexpectedEof) => IndexError::CutStream { text_size },
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
        text_size += read.len() as u64;
        if text_size > limit {
            return Err(IndexError::TooLarge { limit });
        }
        hasher.update(read);
        each(read);
    }
    let mut rest = decoder.finish();
    match io::copy(&mut rest.by_ref().take(1), &mut io::sink()) {
        Ok(0) => Ok(Digest(hasher.finalize().into())),
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
    let mut encoder = encoder(text.len() as u64, level, out)?;
    encoder.write_all(text)?;
    encoder.finish()?.flush()
}

fn encoder<'a, W: Write>(text_size: u64, level: i32, out: W) -> io::Result<write::Encoder<'a, W>> {
    let mut encoder = write::Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(text_size))?;
    if level > 19 {
        encoder.window_log(WINDOW_LOG)?;
    }
    Ok(encoder)
}
