//! The steps of a merge: fields and names that are read, numbers and ranges that are tried. Only
//! tests count them.

/// Counts one step.
#[cfg(not(test))]
pub(super) fn count() {}

#[cfg(test)]
pub(super) use counter::{count, reset, taken};

#[cfg(test)]
mod counter {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(in crate::accounts) fn count() {
        STEPS.set(STEPS.get() + 1);
    }

    /// Begins at 0 again.
    pub(in crate::accounts) fn reset() {
        STEPS.set(0);
    }

    /// Returns the steps of this thread since the last reset.
    pub(in crate::accounts) fn taken() -> u64 {
        STEPS.get()
    }
}
