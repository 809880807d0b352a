//! Brings a directory to exactly the tree of an index: scan, plan, execute, check.
//!
//! ```text
//! scan     walks the target once, in parallel: metadata, and content of small files where it should be the index's
//! plan     a pure function of index, scan and rules: what to keep, reflink, write, fix, remove
//! execute  carries the plan out, in parallel; reads each new file back and digests it before the file gets its place
//! check    compares the target with the index again
//! ```
//!
//! Memory: some bytes for each name of the index, and about 150 for each name of the target that is
//! not what the index says; about 1 MiB for each core, in addition to the index itself.
//!
//! `/proc` must be mounted: extended attributes are reached through it.

mod acl;
mod beneath;
mod carry;
mod check;
mod error;
mod execute;
mod flags;
mod hash;
mod inventory;
mod job;
mod join;
mod metadata;
mod parents;
mod plan;
mod pool;
mod proof;
mod reach;
mod rules;
mod scan;
mod scope;
mod settle;
mod shown;
mod sound;
mod temporary_names;
mod tree;
mod unreadable;
mod walk;
mod xattr;

pub use acl::{acl_owners, map_acl_owners};
pub use carry::carry_over;
pub use check::{Difference, ReadBack, check, check_changes};
pub use error::EngineError;
pub(crate) use error::bytes_read;
pub use execute::execute;
pub use flags::{ClearedFlags, restore_flags};
pub use inventory::{InventoryEntry, inventory};
pub use job::{Job, Summary};
pub use plan::{LostPath, Plan, UnreadablePath, plan, plan_changes};
pub use proof::{Proof, Unproved};
pub use rules::{Reflink, Rules};
pub use shown::Shown;
pub use sound::check_metadata;
pub use temporary_names::is_temporary;
pub use xattr::is_label;
