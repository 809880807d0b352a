//! The time of the next attempt.

use super::error::FetchError;
use crate::network::Limits;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tiu_system::progress::{Cancel, Cancelled};

/// The bytes that an attempt must bring to count as progress: a server that sends one byte and
/// hangs up does not hold us forever.
const PROGRESS: u64 = 64 * 1024;
/// The longest pause that is not the server's wish.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest sleep at once, so that a cancellation is seen.
const STEP: Duration = Duration::from_millis(50);

/// Counts the attempts that brought nothing, and waits between them.
pub(crate) struct Retry<'a> {
    limits: &'a Limits,
    cancel: Option<&'a Cancel>,
    failed: u32,
    progress: u64,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(limits: &'a Limits, cancel: Option<&'a Cancel>) -> Self {
        Retry { limits, cancel, failed: 0, progress: 0 }
    }

    /// Takes the error of an attempt that brought `bytes` all the same. Returns it if it is final
    /// or was the last one; otherwise waits.
    pub(crate) fn after(&mut self, error: FetchError, bytes: u64) -> Result<(), FetchError> {
        if !error.is_temporary() {
            return Err(error);
        }
        self.progress = self.progress.saturating_add(bytes);
        if self.progress >= PROGRESS {
            (self.failed, self.progress) = (0, 0);
        }
        self.failed += 1;
        if self.failed >= self.limits.attempts {
            return Err(error);
        }
        let pause = error.retry_after().unwrap_or_else(|| self.pause());
        tracing::debug!("{error}; next attempt in {:.1} s", pause.as_secs_f64());
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.cancel.is_some_and(Cancel::is_cancelled) {
                return Err(Cancelled.into());
            }
            std::thread::sleep(left.min(STEP));
        }
        Ok(())
    }

    /// Returns the pause before the next attempt: twice the one before, and by chance up to half
    /// shorter or longer, so that hosts that lost a server do not come back together.
    fn pause(&self) -> Duration {
        let pause = self.limits.pause.saturating_mul(1 << (self.failed - 1).min(16)).min(LONGEST);
        let chance = RandomState::new().hash_one(self.failed) % 1000;
        pause / 2 + pause.mul_f64(chance as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> FetchError {
        FetchError::Cut { url: "u".into(), found: 0, expected: 1 }
    }

    #[test]
    fn attempts_that_bring_nothing_are_counted_and_those_that_bring_much_are_not() {
        let limits = Limits { attempts: 3, pause: Duration::ZERO, ..Limits::default() };
        let mut retry = Retry::new(&limits, None);
        assert!(retry.after(cut(), 0).is_ok());
        assert!(retry.after(cut(), PROGRESS).is_ok());
        assert!(retry.after(cut(), 1).is_ok());
        assert!(retry.after(cut(), 1).is_err(), "a byte each time is nothing");
        let mut retry = Retry::new(&limits, None);
        assert!(retry.after(FetchError::WebPage { url: "u".into() }, 0).is_err(), "final");
    }

    #[test]
    fn pauses_grow_and_differ() {
        let limits = Limits { pause: Duration::from_secs(1), ..Limits::default() };
        let mut retry = Retry::new(&limits, None);
        for (failed, from, to) in [(1, 0.5, 1.5), (2, 1.0, 3.0), (10, 15.0, 45.0), (1000, 15.0, 45.0)] {
            retry.failed = failed;
            let pauses: Vec<f64> = (0..50).map(|_| retry.pause().as_secs_f64()).collect();
            assert!(pauses.iter().all(|pause| (from..to).contains(pause)), "{failed}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{failed}: {pauses:?}");
        }
    }

    #[test]
    fn a_wait_ends_when_it_is_cancelled() {
        let cancel = Cancel::new();
        cancel.cancel();
        let limits = Limits { pause: Duration::from_secs(1000), ..Limits::default() };
        let began = Instant::now();
        let error = Retry::new(&limits, Some(&cancel)).after(cut(), 0).unwrap_err();
        assert!(matches!(error, FetchError::Cancelled(_)), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
