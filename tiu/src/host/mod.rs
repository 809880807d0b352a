//! The host: a btrfs root with snapper's snapshots, the running system or what is mounted at `--root`.
//!
//! What a host must be is checked here, once, each with its own error: everything later relies on it.

mod error;
mod lock;
mod open;
pub mod paths;
pub mod persistent;
pub mod snapper;
mod tukit;

pub use error::HostError;
pub use lock::Lock;
pub use open::Host;
