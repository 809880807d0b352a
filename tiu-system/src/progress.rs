//! Progress and cancellation of long work, independent of how it is shown.

use std::sync::atomic::{AtomicBool, Ordering};

/// Receives progress. Called from many threads.
pub trait Progress: Send + Sync {
    /// A phase starts; `total` is in `unit`s (0: unknown).
    fn begin(&self, phase: &str, total: u64, unit: Unit);
    /// `n` more units of the current phase are done.
    fn advance(&self, n: u64);
    /// The current phase is done.
    fn end(&self);
}

/// What a phase counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files or other items.
    Items,
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64, _: Unit) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// Set from a signal handler; long work looks at it and stops.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Not cancelled.
    pub const fn new() -> Self {
        Cancel(AtomicBool::new(false))
    }
    /// Asks everything that looks at this to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    /// Whether to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
