//! What tiu's programs share at the command line.
//!
//! | module | holds |
//! |---|---|
//! | [`report`](report()) | errors with cause and hint; results on standard output |
//! | [`exit`] | exit codes |
//! | [`progress`](progress()) | progress on a terminal, in a log, or for programs |
//! | [`named`](named()) | arguments with a fixed set of names |
//! | [`trust`] | whom to trust, as arguments |
//! | [`signals`] | signals that cancel a run |
#![forbid(unsafe_code)]

pub mod exit;
mod named;
mod progress;
mod report;
pub mod signals;
pub mod trust;

pub use named::named;
pub use progress::{ProgressMode, progress};
pub use report::{print, report, report_nothing_to_do};
