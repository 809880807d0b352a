//! Progress and cancellation of long work, independent of how it is shown.

use crate::Hint;
use std::sync::atomic::{AtomicBool, Ordering};

/// A receiver of progress.
///
/// Phases nest: a phase that starts inside another is a part of it, and ends before it. A program
/// opens a phase for each step that a person knows, and calls a library that has phases of its own;
/// a display shows the outermost phase alone, and counts the units of inner phases that have the
/// same unit. One thread calls `begin` and `end`; many threads call `advance`.
pub trait Progress: Send + Sync {
    /// Starts a phase of `total` units; 0 means that the total is not known. The total of an inner
    /// phase adds to that of the outermost one.
    fn begin(&self, phase: &str, total: u64, unit: Unit);
    /// Reports that `n` more units of the innermost phase are done.
    fn advance(&self, n: u64);
    /// Ends the innermost phase.
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

/// The receiver of the progress of long work, and the request that can stop it. One value, because
/// they always travel together.
///
/// ```
/// use tiu_system::progress::{Cancelled, Unit, Watch};
///
/// fn count(items: &[u32], watch: Watch) -> Result<u32, Cancelled> {
///     let mut sum = 0;
///     watch.phase("Counting", items.len() as u64, Unit::Items, || {
///         for item in items {
///             watch.check()?;
///             sum += item;
///             watch.advance(1);
///         }
///         Ok(sum)
///     })
/// }
///
/// assert_eq!(count(&[1, 2, 3], Watch::silent()), Ok(6));
/// ```
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

impl<'a> Watch<'a> {
    /// Combines a receiver of progress and a request to stop.
    pub fn new(progress: &'a dyn Progress, cancel: &'a Cancel) -> Self {
        Watch { progress, cancel }
    }

    /// Returns a watch that shows nothing and never stops the work.
    pub fn silent() -> Watch<'static> {
        static NEVER: Cancel = Cancel::new();
        Watch::without_progress(&NEVER)
    }

    /// Returns a watch that shows nothing; `cancel` stops the work.
    pub fn without_progress(cancel: &'a Cancel) -> Self {
        Watch { progress: &Silent, cancel }
    }

    /// Returns the receiver of progress.
    pub fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// Returns the request to stop.
    pub fn cancel(&self) -> &'a Cancel {
        self.cancel
    }

    /// Returns true if the work must stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Returns [`Cancelled`] if the work must stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cancel.check()
    }

    /// Reports that `n` more units of the current phase are done.
    pub fn advance(&self, n: u64) {
        self.progress.advance(n);
    }

    /// Does `work` as one phase of `total` units (0: not known), which also ends if the work fails.
    pub fn phase<T>(&self, name: &str, total: u64, unit: Unit, work: impl FnOnce() -> T) -> T {
        self.progress.begin(name, total, unit);
        let result = work();
        self.progress.end();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_check_fails_from_the_cancellation_on() {
        let cancel = Cancel::new();
        let watch = Watch::without_progress(&cancel);
        assert_eq!((cancel.check(), watch.check()), (Ok(()), Ok(())));
        cancel.cancel();
        assert_eq!((cancel.check(), watch.check()), (Err(Cancelled), Err(Cancelled)));
        assert!(watch.is_cancelled() && !Watch::silent().is_cancelled());
        assert!(Cancelled.is_cancelled());
        assert_eq!(Cancelled.to_string(), "cancelled");
    }

    #[derive(Default)]
    struct Recorded(Mutex<Vec<String>>);

    impl Progress for Recorded {
        fn begin(&self, phase: &str, total: u64, unit: Unit) {
            self.0.lock().unwrap().push(format!("{phase} {total} {unit:?}"));
        }
        fn advance(&self, n: u64) {
            self.0.lock().unwrap().push(format!("+{n}"));
        }
        fn end(&self) {
            self.0.lock().unwrap().push("end".into());
        }
    }

    #[test]
    fn a_phase_ends_when_its_work_fails() {
        let (recorded, cancel) = (Recorded::default(), Cancel::new());
        let watch = Watch::new(&recorded, &cancel);
        let result: Result<(), Cancelled> = watch.phase("Counting", 3, Unit::Items, || {
            watch.advance(2);
            watch.cancel().cancel();
            watch.check()
        });
        assert_eq!(result, Err(Cancelled));
        assert_eq!(*recorded.0.lock().unwrap(), ["Counting 3 Items", "+2", "end"]);
    }
}
