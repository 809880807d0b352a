//! A draft of a snapshot. It begins as a copy of the base, and either becomes what boots next or is
//! removed.
//!
//! [`Draft::open`] makes it, its owner works in it, and then either [`Draft::commit`] makes it what
//! boots next or [`Draft::abandon`] removes it. Both consume it, so nothing happens to a draft
//! afterwards. [`clean_up`] removes the draft of an interrupted run.

mod cleanup;
mod error;
mod snapshot;

pub use cleanup::clean_up;
pub use error::{DraftError, LeftBehind};
pub use snapshot::{Draft, ImageName};
