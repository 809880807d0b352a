//! `tiu update`: the update that nobody attends. Looks at a source of bundles, chooses the newest
//! image that the host takes and does not have, and applies it.
//!
//! | file | holds |
//! |---|---|
//! | `location` | the source: a bundle here or on a server, or a folder with bundles |
//! | `candidates` | the bundles of a source, each opened and verified |
//! | `choice` | the verdict on each, and which one is applied. Pure. |
//! | `avoided` | images that the host went back from |
//! | `check` | what an update would do |
//! | `run` | the update |
//! | `result` | the result of the last run, for monitoring |
//!
//! Everything that `tiu apply` checks is checked again when the chosen bundle is applied: the
//! choice decides only which bundle that is.

mod avoided;
mod candidates;
mod check;
mod choice;
mod error;
mod location;
mod result;
mod run;

pub use avoided::note_avoided;
pub use check::{CandidateFacts, Check, check};
pub use choice::Verdict;
pub use error::UpdateError;
pub use location::UpdateSource;
pub use result::{LAST_RESULT, LastResult, LastRun, LastUpdate, UpdateResult};
pub use run::{Choice, Chosen, UpdateRequest, apply_chosen, choose};
