//! The host: a btrfs root with snapper's snapshots, either the running system or the one mounted at
//! `--root`.
//!
//! ```text
//! open        the checked host
//! access      the users who can enter the snapshots
//! home        tiu's own directory, which outlasts snapshots
//! memory      facts that the host remembers beyond snapshots
//! seals       snapshots that were compared with their index
//! lock        its lock; held: the lock's open file; tukit: transactional-update's locks
//! snapper     snapper(8) as a program, and its table
//! paths       paths of a tree that belong to the host
//! hidden      parts of an image that such a path would hide
//! lookup      an image's index as a system in which paths are looked up
//! mounts      the host's mounts, which lie over each of its snapshots
//! planned     a snapshot on paper, before a change of it is written
//! persistent  directories outside of /var that outlast updates
//! quota       the limits of btrfs qgroups above a snapshot
//! failed      images that did not work here, as memory has them; rfc3339: times
//! ```

mod access;
mod error;
mod failed;
mod held;
mod hidden;
mod home;
mod lock;
mod lookup;
mod memory;
mod mounts;
mod open;
mod paths;
pub(crate) mod persistent;
mod planned;
mod quota;
mod rfc3339;
mod seals;
pub(crate) mod snapper;
mod tukit;

pub use error::HostError;
pub use failed::FailedImage;
pub use hidden::Hidden;
pub(crate) use hidden::HostPaths;
pub use lock::Lock;
pub(crate) use lookup::Paper;
pub use memory::{Avoided, Memory, Newest, Recalled};
pub(crate) use mounts::HostMounts;
pub use open::Host;
pub use paths::NotInstalled;
pub(crate) use paths::{host_paths, left_out};
pub use persistent::{Persistent, PersistentError, PersistentState};
pub(crate) use planned::PlannedTree;
pub use quota::Quota;
pub use rfc3339::now_in_seconds;
pub use seals::Seal;
