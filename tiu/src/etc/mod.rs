//! `/etc`: a three-way merge of the base's defaults, the administrator's version, and the new
//! image's defaults.
//!
//! ```text
//! state      the inode at each path; decision: what becomes of it
//! merge      makes the decision from three such states; directories: a part of it
//! lists      paths that are always one side's
//! report     the decision, kept in the snapshot
//! pristine   a copy of the image's whole /etc, for comparison and for going back
//! settled    conflicts that the administrator settled in favour of the host
//! paths      paths and index entries of /etc
//!
//! update     the system whose /etc is updated, and the image; decide: the result for each path
//! accounts   users and groups as part of it
//! ```
//!
//! docs/internals/etc-merge.md explains the rule, with a table of every case.

mod accounts;
mod decide;
mod decision;
mod directories;
mod error;
mod lists;
mod merge;
mod paths;
pub(crate) mod pristine;
mod report;
pub(crate) mod settled;
pub(crate) mod state;
mod update;

pub(crate) use accounts::owner_numbers;
pub(crate) use decide::{EtcPlan, decide};
pub use decision::{Clash, Decision, DecisionReason, EtcSides, Merge, Side};
pub use error::MergeError;
pub use lists::Lists;
pub use merge::merge;
pub use paths::{ETC, entries, entries_at, is_etc};
pub use pristine::{PRISTINE_PATH, PristineError};
pub use report::{Decided, EtcReport, REPORT_PATH, ReportError};
pub use settled::Settled;
pub(crate) use state::same;
pub use state::{Inode, InodeFacts, ReadError, States};
pub(crate) use update::{BaseImage, EtcUpdate};
