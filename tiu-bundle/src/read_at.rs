//! Positioned reads from a file or anything that behaves like one.

use std::io;

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
