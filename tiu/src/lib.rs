//! The client: updates a host by whole images, each a btrfs snapshot that snapper knows.
//!
//! ```text
//! command       the command line, one file for each command
//! config        tiu.yaml
//! host          what a host must be; its lock
//! snapshots     list, make, change, delete, choose what boots next (snapper, libbtrfsutil)
//! provenance    where a snapshot comes from: its signed manifest and index
//! record        what was made on the host: initrd, mapped owners
//! accounts      owners by name
//! tree          single files of a system's tree
//! run           the one runner for external programs
//! ```
#![forbid(unsafe_code)]

pub mod accounts;
pub mod command;
pub mod config;
pub mod etc;
pub mod facts;
pub mod fstab;
pub mod host;
pub mod host_paths;
pub mod identity;
pub mod in_target;
pub mod initrd;
pub mod os_release;
pub mod provenance;
pub mod record;
pub mod rollback;
pub mod run;
pub mod snapper;
pub mod snapshots;
pub mod transaction;
pub mod tree;
pub mod verify;
pub mod version;
pub mod without_plugins;
