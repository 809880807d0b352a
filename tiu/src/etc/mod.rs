//! `/etc`: a three-way merge of the base's defaults, what the administrator has, and the new image's defaults.
//!
//! ```text
//! state      what there is at a path; merge: the decision, a function of three such states
//! lists      paths that always are one side's
//! report     what was decided, kept in the snapshot
//! pristine   the image's whole /etc beside the host's, to look at and to go back to
//! settled    conflicts of which the administrator said that the host's version stays
//!
//! escape     paths of any bytes in text
//!
//! update     the system whose /etc is updated, and what with; decide: what becomes of it
//! accounts   users and groups as part of it
//! ```
//!
//! docs/internals/etc-merge.md has the rule for people, with a table of every case.

pub mod accounts;
pub mod decide;
pub mod decision;
mod directories;
pub mod error;
pub mod escape;
pub mod lists;
pub mod merge;
mod paths;
pub mod pristine;
pub mod report;
pub mod settled;
pub mod state;
pub mod update;

pub use error::MergeError;
pub use paths::{ETC, entries, entries_at, is_etc, is_within};
