//! Directories beside `/var` whose content is the host's because an image says so, or because something is mounted there now.
//!
//! An image declares them in [`POLICY_PATH`]. Where the host has something mounted, or says itself that the path is its own, there is
//! nothing to do. Where not, the directory lies in the snapshot: an update makes it if it is missing, and otherwise leaves it alone with all
//! that it holds, like any path of the host. Nothing is lost by that, but a rollback goes back there, too; so it is told how to mount a
//! subvolume. What was persistent once and holds something stays so, even if a later image does not declare it any more.
//!
//! [`POLICY_PATH`]: tiu_bundle::policy::POLICY_PATH

mod commands;
mod decide;
mod declared;
mod error;
mod found;
#[cfg(test)]
mod tests;

pub use commands::commands;
pub use decide::{Decision, Found, Persistent, Sides, State, decide};
pub use declared::declared;
pub use error::PersistentError;
pub use found::{check_nested, data_in_snapshot, found, mounted};
