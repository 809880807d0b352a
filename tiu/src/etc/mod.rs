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
//! update     the system whose /etc is updated, and what with; decide: what becomes of it
//! accounts   users and groups as part of it
//! ```
//!
//! docs/internals/etc-merge.md explains the rule, with a table of every case.

pub(crate) mod accounts;
pub(crate) mod decide;
pub(crate) mod decision;
mod directories;
pub(crate) mod error;
pub(crate) mod lists;
pub(crate) mod merge;
mod paths;
pub(crate) mod pristine;
pub(crate) mod report;
pub(crate) mod settled;
pub(crate) mod state;
pub(crate) mod update;

pub use decision::{Clash, Decision, DecisionReason, EtcSides, Merge, Side};
pub use error::MergeError;
pub use lists::Lists;
pub use merge::merge;
pub use paths::{ETC, entries, entries_at, is_etc};
pub use pristine::{PRISTINE_PATH, PristineError};
pub use report::{Decided, EtcReport, ReportError};
pub use settled::Settled;
pub use state::{Inode, InodeFacts, ReadError, States};
