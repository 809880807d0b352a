//! The client: updates a host by whole images, each a btrfs snapshot that snapper knows.
//!
//! ```text
//! command         the command line, one file for each command (in the program, not in the library)
//! transaction     tiu apply: preflight, open, fill, finish, check, commit
//! verify          tiu verify: is a snapshot still what was signed?
//! diff            tiu diff: what differs between two images, in files and in packages
//! rollback        tiu rollback: another snapshot boots next
//! status          what there is to say about snapshots (status, list)
//!
//! etc             what of /etc stays the host's; accounts: users and groups, merged
//! incoming        the image that comes: whether it is for this host, and which of two is newer
//! boot            what boots next, and where an initrd comes from
//! state           what a snapshot says of itself
//! snapshots       list, make, change, delete, pin, choose what boots next (snapper, libbtrfsutil)
//! host            what a host must be; its lock; which paths are its own
//! config          tiu.yaml
//! namespace       programs in namespaces of their own
//! ```
#![forbid(unsafe_code)]

pub mod accounts;
pub mod boot;
pub mod config;
pub mod diff;
pub mod draft;
pub mod edit;
pub mod etc;
pub mod host;
pub mod incoming;
pub mod namespace;
pub mod outcome;
pub mod rollback;
pub mod snapshots;
pub mod state;
pub mod status;
pub mod transaction;
pub mod verify;
