//! Reading what a program prints.

use std::io::{self, Read};
use std::thread::JoinHandle;

/// How much of each output stream is kept, in bytes; the rest is read and thrown away.
const MAX_OUTPUT: usize = 32 << 20;

/// What a program printed. What is not UTF-8 is replaced.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A thread that reads a stream to its end, so that the program never blocks on a full pipe.
pub(super) struct Drain(Option<JoinHandle<Vec<u8>>>);

impl Drain {
    pub(super) fn new(stream: Option<impl Read + Send + 'static>) -> Self {
        let read = |mut stream: Box<dyn Read + Send>| {
            let mut kept = Vec::new();
            let _ = stream.by_ref().take(MAX_OUTPUT as u64).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
            kept
        };
        Drain(stream.map(|stream| std::thread::spawn(move || read(Box::new(stream)))))
    }

    /// Waits for the end of the stream and returns what was kept.
    pub(super) fn collect(&mut self) -> String {
        let bytes = self.0.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
