//! The rate of the received bytes, with a lower and an upper limit.

use super::error::FetchError;
use crate::url::Url;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause at once, so that a cancellation is seen.
const STEP: Duration = Duration::from_millis(50);

/// Measures one answer.
pub(super) struct Pace {
    began: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Pace { began: Instant::now(), bytes: 0 }
    }

    /// Counts `bytes` more, and fails if all of the answer arrives too slowly.
    pub(super) fn check(
        &mut self,
        bytes: u64,
        grace: Duration,
        slowest: u64,
        url: &Url,
    ) -> Result<(), FetchError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let took = self.began.elapsed();
        if self.bytes < took.saturating_sub(grace).as_secs().saturating_mul(slowest) {
            return Err(FetchError::TooSlow { url: url.to_string(), bytes: self.bytes, took });
        }
        Ok(())
    }
}

/// Holds all connections together to a rate.
pub(super) struct Throttle {
    rate: Option<u64>,
    /// The moment from which on the next bytes can arrive.
    free: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(rate: Option<u64>) -> Self {
        Throttle { rate: rate.map(|rate| rate.max(1)), free: Mutex::new(Instant::now()) }
    }

    /// Returns the rate that a server must have: not more than a part of what is allowed.
    pub(super) fn slowest(&self, slowest: u64) -> u64 {
        self.rate.map_or(slowest, |rate| slowest.min(rate / 8))
    }

    /// Returns the most bytes to read at once.
    pub(super) fn piece(&self, most: usize) -> usize {
        let fair = self.rate.map_or(u64::MAX, |rate| (rate / 4).max(512));
        most.min(usize::try_from(fair).unwrap_or(usize::MAX))
    }

    /// Waits as long as `bytes` take, or until `stop`.
    pub(super) fn wait(&self, bytes: u64, stop: impl Fn() -> bool) {
        let Some(rate) = self.rate else { return };
        let until = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
            let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
            *free = (*free).max(Instant::now()) + takes;
            *free
        };
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if stop() {
                return;
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}
