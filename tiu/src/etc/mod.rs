//! `/etc`: a three-way merge of the base's defaults, what the administrator has, and the new
//! image's defaults.
//!
//! ```text
//! state      the inode at each path; decision: what becomes of it
//! merge      makes the decision from three such states; directories: a part of it
//! lists      paths that are always one side's
//! report     the decision, kept in the snapshot
//! pristine   the image's whole /etc besides the host's, to compare with and to go back to
//! settled    conflicts that the administrator settled in favour of the host
//! paths      paths and index entries of /etc
//!
//! escape     paths of any bytes in text
//!
//! update     the system whose /etc is updated, and what with; decide: what becomes of it
//! accounts   users and groups as part of it
//! ```
//!
//! docs/internals/etc-merge.md explains the rule, with a table of every case.

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
