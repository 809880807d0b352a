//! The client: updates a host by whole images, each a btrfs snapshot that snapper knows.
//!
//! ```text
//! command       the command line, one file for each command
//! config        tiu.yaml
//! host          what a host must be; its lock
//! snapshots     list, make, change, delete, choose what boots next (snapper, libbtrfsutil)
//! run           the one runner for external programs
//! ```
#![forbid(unsafe_code)]

pub mod config;
pub mod fstab;
pub mod host;
pub mod os_release;
pub mod run;
pub mod snapper;
pub mod snapshots;
pub mod version;
