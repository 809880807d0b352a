//! Directories besides `/var` whose content is the host's, because an image declares them or
//! because something is mounted there now.
//!
//! An image declares them in [`POLICY_PATH`]. If the host has something mounted there, or its
//! configuration says that the path is the host's, there is nothing to do. Otherwise the directory
//! is part of the snapshot. An update makes it if it is missing, and leaves it alone with all its
//! content if it exists, like any path of the host. Nothing is lost, but a rollback also takes this
//! content back; `apply` prints how to mount a subvolume. A path that was persistent
//! once and holds something stays persistent, even if a later image no longer declares it.
//!
//! ```text
//! declared   the paths that an image declares
//! found      what a host has at such paths
//! decide     what becomes of each path: a function of the two
//! commands   how an administrator mounts a subvolume there
//! ```
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
pub use decide::{
    DirectoryContent, Persistent, PersistentDecision, PersistentFacts, PersistentState, decide,
};
pub use declared::declared;
pub use error::PersistentError;
pub use found::{check_nested, content, data_in_snapshot, mounted};
