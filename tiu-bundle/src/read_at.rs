//! Positioned reads from a file or anything that behaves like one.

use std::io;
use std::ops::Range;
use tiu_system::Hint;

/// Reads at any offset without a cursor, from many threads.
pub trait ReadAt: Send + Sync {
    /// Returns the length in bytes, as it was when the source was opened.
    fn size(&self) -> u64;
    /// Fills `buf` from `offset` or fails with `UnexpectedEof`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    /// Returns the length in bytes now. It differs from [`size`](Self::size) if the source was
    /// changed since it was opened.
    fn current_size(&self) -> io::Result<u64> {
        Ok(self.size())
    }
    /// Returns the file behind this, if there is one (for a loop device).
    fn as_file(&self) -> Option<&std::fs::File> {
        None
    }
    /// Returns true if each read can cost a request to another machine. Readers then announce what
    /// they read, and leave out what they do not need.
    fn is_remote(&self) -> bool {
        false
    }
    /// Says which ranges of bytes will be read soon, in the order of the reads, so that they can be
    /// fetched together. Replaces what was announced before. Any range can be read without it.
    fn announce(&self, _ranges: &[Range<u64>], _reads: Reads) {}
    /// Returns what announcing `ranges` would fetch, or `None` if reads cost nothing.
    fn cost(&self, _ranges: &[Range<u64>]) -> Option<FetchCost> {
        None
    }
    /// Fetches a range again, because its bytes are wrong. Returns false if reading it again cannot
    /// return other bytes than before.
    fn fetch_again(&self, _range: Range<u64>) -> bool {
        false
    }
}

/// The number of reads that an announced range will get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// About one. It need not be kept afterwards.
    Once,
    /// Many, as long as the source is open.
    Often,
}

/// The cost of fetching ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FetchCost {
    /// Bytes of content, without headers.
    pub bytes: u64,
    /// Requests.
    pub requests: u64,
}

/// The error of a source that has a hint of its own. An [`io::Error`] carries it through
/// [`ReadAt`].
#[derive(Debug)]
pub struct SourceFailure(Box<dyn Hint + Send + Sync>);

impl SourceFailure {
    /// Returns an I/O error of `kind` that carries `error`.
    pub fn io(kind: io::ErrorKind, error: impl Hint + Send + Sync + 'static) -> io::Error {
        io::Error::new(kind, SourceFailure(Box::new(error)))
    }

    /// Returns the error that `error` carries, if any.
    pub fn of(error: &io::Error) -> Option<&(dyn Hint + Send + Sync)> {
        error.get_ref()?.downcast_ref::<SourceFailure>().map(|failure| &*failure.0)
    }
}

impl std::fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SourceFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// A file that is opened once; its size is taken at that moment.
#[derive(Debug)]
pub struct FileSource {
    file: std::fs::File,
    size: u64,
}

impl FileSource {
    /// Takes over `file`.
    pub fn new(file: std::fs::File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(FileSource { file, size })
    }
}

impl ReadAt for FileSource {
    fn size(&self) -> u64 {
        self.size
    }
    fn as_file(&self) -> Option<&std::fs::File> {
        Some(&self.file)
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }
    fn current_size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let range =
            usize::try_from(offset).ok().and_then(|start| self.get(start..start.checked_add(buf.len())?));
        match range {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
