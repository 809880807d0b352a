//! Reads a stream within limits, and looks ahead.

use std::io::{self, BufRead, Read};
use tiu_system::progress::Cancel;

/// Bytes that are read of all archives together, decompressed: far more than any initrd has.
const MAX_BYTES: u64 = 4 << 30;

/// The reason why reading an initrd ended early.
#[derive(Debug)]
pub enum Stop {
    /// No kernel could read it.
    Damaged(String),
    /// A kernel may read it, but this code does not.
    Unreadable(String),
    /// The caller was cancelled.
    Cancelled,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Stop::Damaged("it ends in the middle".into()),
            _ => Stop::Damaged(error.to_string()),
        }
    }
}

/// The rest of the limits.
pub struct Budget<'a> {
    bytes: u64,
    cancel: &'a Cancel,
}

impl<'a> Budget<'a> {
    pub fn new(cancel: &'a Cancel) -> Self {
        Budget { bytes: MAX_BYTES, cancel }
    }

    #[cfg(test)]
    pub fn with_bytes(bytes: u64, cancel: &'a Cancel) -> Self {
        Budget { bytes, cancel }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let left = self.bytes.checked_sub(bytes as u64);
        self.bytes =
            left.ok_or_else(|| Stop::Unreadable(format!("it has more than {} GiB", MAX_BYTES >> 30)))?;
        Ok(())
    }
}

/// A stream of which the next bytes can be looked at.
pub struct LookaheadReader<R> {
    inner: R,
    /// Bytes that were looked at and not consumed.
    ahead: Vec<u8>,
}

impl<R: BufRead> LookaheadReader<R> {
    pub fn new(inner: R) -> Self {
        LookaheadReader { inner, ahead: Vec::new() }
    }

    /// Returns the next `length` bytes, or fewer where the stream ends.
    pub fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.ahead.len() < length {
            let found = self.inner.fill_buf()?;
            let taken = found.len().min(length - self.ahead.len());
            if taken == 0 {
                break;
            }
            self.ahead.extend_from_slice(&found[..taken]);
            self.inner.consume(taken);
        }
        Ok(&self.ahead[..self.ahead.len().min(length)])
    }

    /// Skips `length` bytes.
    pub fn skip(&mut self, mut length: u64, budget: &mut Budget) -> Result<(), Stop> {
        while length > 0 {
            let found = self.fill_buf()?.len();
            if found == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let taken = found.min(usize::try_from(length).unwrap_or(usize::MAX));
            self.consume(taken);
            budget.spend(taken)?;
            length -= taken as u64;
        }
        Ok(())
    }

    /// Reads exactly `length` bytes.
    pub fn take_bytes(&mut self, length: usize, budget: &mut Budget) -> Result<Vec<u8>, Stop> {
        budget.spend(length)?;
        let mut bytes = vec![0; length];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Skips the zeros that come next. Returns false if nothing comes after them.
    pub fn skip_zeros(&mut self, budget: &mut Budget) -> Result<bool, Stop> {
        loop {
            let found = self.fill_buf()?;
            if found.is_empty() {
                return Ok(false);
            }
            let zeros = found.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                return Ok(true);
            }
            self.consume(zeros);
            budget.spend(zeros)?;
        }
    }
}

impl<R: BufRead> BufRead for LookaheadReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() { self.inner.fill_buf() } else { Ok(&self.ahead) }
    }

    fn consume(&mut self, amount: usize) {
        if self.ahead.is_empty() {
            self.inner.consume(amount);
        } else {
            self.ahead.drain(..amount);
        }
    }
}

impl<R: BufRead> Read for LookaheadReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let found = self.fill_buf()?;
        let length = found.len().min(buffer.len());
        buffer[..length].copy_from_slice(&found[..length]);
        self.consume(length);
        Ok(length)
    }
}
