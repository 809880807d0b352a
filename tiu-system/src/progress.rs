//! Progress and cancellation of long work, independent of how it is shown.

use crate::Hint;
use std::sync::atomic::{AtomicBool, Ordering};

/// A receiver of progress. Many threads call it.
pub trait Progress: Send + Sync {
    /// Starts a phase of `total` units; 0 means that the total is not known.
    fn begin(&self, phase: &str, total: u64, unit: Unit);
    /// Reports that `n` more units of the current phase are done.
    fn advance(&self, n: u64);
    /// Ends the current phase.
    fn end(&self);
}

/// The unit that a phase counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files or other items.
    Items,
}

/// Progress that shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64, _: Unit) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// A request to stop. A signal handler sets it; long work checks it and stops.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

/// The work stopped because of [`Cancel::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Hint for Cancelled {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_cancelled(&self) -> bool {
        true
    }
}

impl Cancel {
    /// Returns a request that is not set.
    pub const fn new() -> Self {
        Cancel(AtomicBool::new(false))
    }

    /// Asks all work that checks this request to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns true if the work must stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns [`Cancelled`] if the work must stop, for `cancel.check()?`.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_from_the_cancellation_on() {
        let cancel = Cancel::new();
        assert_eq!(cancel.check(), Ok(()));
        cancel.cancel();
        assert_eq!(cancel.check(), Err(Cancelled));
        assert!(Cancelled.is_cancelled());
        assert_eq!(Cancelled.to_string(), "cancelled");
    }
}
