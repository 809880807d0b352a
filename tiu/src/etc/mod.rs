//! `/etc`: a three-way merge of the base's defaults, what the administrator has, and the new image's defaults.
//!
//! ```text
//! state      what there is at a path; merge: the decision, a function of three such states
//! lists      paths that always are one side's
//! report     what was decided, kept in the snapshot
//! pristine   the image's whole /etc beside the host's, to look at and to go back to
//! settled    conflicts of which the administrator said that the host's version stays
//!
//! view       a snapshot's /etc as it is now, against its image: for tiu etc
//! unified    differences of content as text
//! reset      back to the image's version, or: the host's stays; change: in which snapshot
//! escape     paths of any bytes in text
//! ```
//!
//! docs/internals/etc-merge.md has the rule for people, with a table of every case.

pub mod decide;
pub mod decision;
mod directories;
pub mod edit;
mod error;
pub mod escape;
pub mod lists;
pub mod merge;
mod paths;
pub mod pristine;
pub mod report;
pub mod settled;
pub mod state;

pub use error::EtcError;
pub use paths::{ETC, entries, entries_at, is_etc, is_within};
