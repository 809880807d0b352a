//! The bundle as a source: reads wait for pieces, and threads fetch ahead what was announced.

use super::fetch::RemoteFile;
use super::pieces::{Content, Pieces};
use crate::http::FetchError;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tiu_bundle::read_at::{FetchCost, ReadAt, Reads, SourceFailure};
use tiu_system::progress::Cancel;

/// The most threads that fetch ahead, each with a connection.
const CONNECTIONS: usize = 4;
/// The time between two looks at whether the run was cancelled.
const TICK: Duration = Duration::from_millis(100);

/// A bundle on a server.
pub(crate) struct RemoteSource(Arc<Shared>);

struct Shared {
    file: RemoteFile,
    pieces: Mutex<Pieces>,
    /// Some piece has become ready or has failed, or there is room for one.
    changed: Condvar,
    /// The number of threads that fetch ahead.
    threads: AtomicUsize,
    closed: AtomicBool,
}

impl RemoteSource {
    /// Takes over a file whose last bytes are `end`.
    pub(super) fn new(file: RemoteFile, end: Vec<u8>) -> Self {
        let mut pieces = Pieces::default();
        pieces.add_ready(file.size.saturating_sub(end.len() as u64), end);
        let shared = Arc::new(Shared {
            file,
            pieces: Mutex::new(pieces),
            changed: Condvar::new(),
            threads: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        if let Some(cancel) = shared.file.client.cancel {
            let weak = Arc::downgrade(&shared);
            // A read that waits for the network is ended from outside.
            std::thread::spawn(move || {
                while let Some(shared) = weak.upgrade() {
                    if cancel.is_cancelled() {
                        shared.file.client.shut_down();
                        return;
                    }
                    drop(shared);
                    std::thread::sleep(TICK);
                }
            });
        }
        RemoteSource(shared)
    }
}

impl Drop for RemoteSource {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.closed.store(true, Ordering::Relaxed);
        shared.lock().stop();
        shared.changed.notify_all();
        shared.file.client.shut_down();
        let (requests, bytes) = shared.file.client.counts();
        tracing::info!(requests, bytes, "fetched {bytes} bytes in {requests} requests");
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, pieces: MutexGuard<'a, Pieces>) -> MutexGuard<'a, Pieces> {
        self.changed.wait_timeout(pieces, TICK).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Fetches a piece that the caller has marked as loading, and keeps the result.
    fn load(&self, range: Range<u64>) {
        let start = range.start;
        let result = self.file.fetch(range, false);
        let mut pieces = self.lock();
        match result {
            Ok(bytes) => pieces.finish(start, bytes),
            Err(error) => {
                // What follows would fail too.
                pieces.stop();
                pieces.set(start, Content::Failed(error));
            }
        }
        drop(pieces);
        self.changed.notify_all();
    }

    /// Returns the piece with byte `at` and its first byte. `length` bytes from there on are read.
    fn piece(&self, at: u64, length: u64) -> Result<(u64, Arc<Vec<u8>>), FetchError> {
        let mut pieces = self.lock();
        loop {
            self.file.client.check_cancelled()?;
            let range = match pieces.find(at) {
                None => pieces.add_for_read(at, length, self.file.size),
                Some((start, piece)) => match &piece.content {
                    Content::Ready(bytes) => {
                        let (bytes, left) = (bytes.clone(), piece.end - at);
                        pieces.note_read(start, left.min(length));
                        self.changed.notify_all();
                        return Ok((start, bytes));
                    }
                    Content::Failed(error) => {
                        let error = error.clone();
                        piece.content = Content::Waiting;
                        return Err(error);
                    }
                    Content::Loading => {
                        pieces = self.wait(pieces);
                        continue;
                    }
                    Content::Waiting => start..piece.end,
                },
            };
            pieces.set(range.start, Content::Loading);
            drop(pieces);
            self.load(range);
            pieces = self.lock();
        }
    }

    /// Fetches ahead until nothing is left to fetch.
    fn fetch_ahead(&self) {
        let mut pieces = self.lock();
        while !self.closed.load(Ordering::Relaxed) && !pieces.is_idle() {
            match pieces.take_next() {
                Some(range) => {
                    drop(pieces);
                    self.load(range);
                    pieces = self.lock();
                }
                None => pieces = self.wait(pieces),
            }
        }
        // With the lock held: who announces more now sees one thread less.
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ReadAt for RemoteSource {
    fn size(&self) -> u64 {
        self.0.file.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (start, bytes) = self.0.piece(at, rest.len() as u64).map_err(failure)?;
            let bytes = bytes.get((at - start) as usize..).unwrap_or_default();
            let (space, left) = rest.split_at_mut(bytes.len().min(rest.len()));
            space.copy_from_slice(bytes.get(..space.len()).unwrap_or_default());
            at += space.len() as u64;
            rest = left;
        }
        Ok(())
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn announce(&self, ranges: &[Range<u64>], reads: Reads) {
        let mut pieces = self.0.lock();
        pieces.announce(ranges, self.size(), reads);
        let missing = pieces.queued().min(CONNECTIONS).saturating_sub(self.0.threads.load(Ordering::Relaxed));
        self.0.threads.fetch_add(missing, Ordering::Relaxed);
        drop(pieces);
        for _ in 0..missing {
            let shared = self.0.clone();
            std::thread::spawn(move || shared.fetch_ahead());
        }
        self.0.changed.notify_all();
    }

    fn cost(&self, ranges: &[Range<u64>]) -> Option<FetchCost> {
        let requests = self.0.lock().requests(ranges, self.size());
        let bytes = requests.iter().map(|request| request.range.end - request.range.start).sum();
        Some(FetchCost { bytes, requests: requests.len() as u64 })
    }

    fn fetch_again(&self, range: Range<u64>) -> bool {
        let end = range.end.min(self.size());
        if range.start >= end || self.0.file.client.cancel.is_some_and(Cancel::is_cancelled) {
            return false;
        }
        tracing::warn!("bytes {} to {} are wrong and are fetched again", range.start, end - 1);
        match self.0.file.fetch(range.start..end, true) {
            Ok(bytes) => {
                self.0.lock().replace(range.start, &bytes);
                true
            }
            Err(_) => false,
        }
    }
}

/// Returns the error for the reader.
fn failure(error: FetchError) -> io::Error {
    let kind = match &error {
        FetchError::Timeout { .. } | FetchError::TooSlow { .. } => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    SourceFailure::io(kind, error)
}
