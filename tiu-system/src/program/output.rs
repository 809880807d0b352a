//! Reads the output of a program.

use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::thread::JoinHandle;

/// The part of each output stream that is kept, in bytes; the rest is read and discarded.
const MAX_OUTPUT: usize = 32 << 20;
/// The size of one read, in bytes: the capacity of a pipe.
const CHUNK: usize = 64 << 10;
/// The number of chunks that are still read after a stop: the most that a pipe can hold by default.
const LAST_CHUNKS: usize = 16;

/// The output of a program. Bytes that are not UTF-8 are replaced.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A thread that reads a stream to its end, so that the program never blocks on a full pipe. The
/// end comes when the last process that holds the stream has closed it, or with [`Drain::stop`].
pub(super) struct Drain(Option<Reader>);

struct Reader {
    thread: JoinHandle<Vec<u8>>,
    /// Closed to stop the thread.
    stop: PipeWriter,
}

impl Drain {
    pub(super) fn new(stream: Option<impl Read + AsFd + Send + 'static>) -> io::Result<Self> {
        let Some(stream) = stream else { return Ok(Drain(None)) };
        let (stopped, stop) = io::pipe()?;
        let thread = std::thread::spawn(move || read(stream, &stopped));
        Ok(Drain(Some(Reader { thread, stop })))
    }

    /// Returns true if the stream has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(|reader| reader.thread.is_finished())
    }

    /// Stops reading after what is in the stream now, and returns what was kept.
    pub(super) fn stop(&mut self) -> String {
        let Some(Reader { thread, stop }) = self.0.take() else { return String::new() };
        drop(stop);
        String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
    }
}

/// Reads `stream` to its end. Once the other end of `stopped` is closed, reads only what is ready,
/// and of that no more than a pipe holds: its writer may never stop.
fn read(mut stream: impl Read + AsFd, stopped: &PipeReader) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    let mut left = LAST_CHUNKS;
    loop {
        let mut ready = [PollFd::new(&stream, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return kept,
        }
        let [has_data, has_stopped] = ready.map(|fd| !fd.revents().is_empty());
        if has_stopped {
            if !has_data || left == 0 {
                return kept;
            }
            left -= 1;
        }
        if has_data {
            match stream.read(&mut chunk) {
                Ok(0) => return kept,
                Ok(length) => {
                    let room = MAX_OUTPUT - kept.len();
                    kept.extend_from_slice(&chunk[..length.min(room)]);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return kept,
            }
        }
    }
}
