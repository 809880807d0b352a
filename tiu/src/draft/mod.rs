//! A draft of a snapshot: from a copy of the base to what boots next, or to nothing.
//!
//! [`Draft::open`] makes it, its owner works in it, and then either [`Draft::commit`] makes it what
//! boots next or [`Draft::abandon`] removes it. Both consume it, so nothing happens to a draft
//! afterwards. What a run that was cut off left, [`clean_up`] removes.

mod cleanup;
mod error;
mod snapshot;

pub use cleanup::clean_up;
pub use error::{DraftError, LeftBehind};
pub use snapshot::{Draft, ImageName};
