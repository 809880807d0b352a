//! The host's snapshots: list, make, change, pin, delete.
//!
//! snapper does what it can, so that its table and its plugins stay right; libbtrfsutil does what
//! Debian 12's snapper cannot. Every change is read back from the filesystem, because snapper's
//! exit codes prove nothing. What boots next, and deletions, belong to the [`boot`](crate::boot)
//! room.

mod change;
pub(crate) mod create;
pub(crate) mod delete;
mod error;
pub(crate) mod flags;
pub(crate) mod leftovers;
mod list;
mod model;
mod nested;
mod pin;

pub use create::Start;
pub use error::SnapshotError;
pub(crate) use error::btrfs;
pub use leftovers::{begin_creation, clean_up_creation};
pub use model::{CHECKED, COMPATIBLE_KEY, IN_PROGRESS, STATE_KEY, Snapshot, State, VERSION_KEY};
pub use nested::nested_subvolumes;
pub use pin::{PinError, pin, unpin};
