//! The host: a btrfs root with snapper's snapshots, either the running system or the one mounted at
//! `--root`.
//!
//! ```text
//! open        the checked host
//! lock        its lock; tukit: transactional-update's locks
//! snapper     snapper(8) as a program, and its table
//! paths       paths of a tree that belong to the host
//! persistent  directories outside of /var that outlast updates
//! ```

mod error;
mod lock;
mod open;
pub(crate) mod paths;
pub(crate) mod persistent;
pub(crate) mod snapper;
mod tukit;

pub use error::HostError;
pub use lock::Lock;
pub use open::Host;
pub use paths::NotInstalled;
pub use persistent::{Persistent, PersistentError, PersistentState};
