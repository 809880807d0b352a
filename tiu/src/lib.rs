//! The client: updates a host by whole images, each a btrfs snapshot that snapper knows.
//!
//! ```text
//! command         the command line, one file for each command
//! transaction     tiu apply: preflight, open, fill, finish, check, commit
//! verify          tiu verify: is a snapshot still what was signed?
//! diff            tiu diff: what differs between two images, in files and in packages
//! pin             tiu pin: a snapshot that no clean-up may remove
//! rollback        tiu rollback: another snapshot boots next
//! facts           what there is to say about snapshots (status, list)
//!
//! config          tiu.yaml
//! host            what a host must be; its lock
//! snapshots       list, make, change, delete, choose what boots next (snapper, libbtrfsutil)
//! unlisted        what a power cut inside snapper leaves
//! provenance      where a snapshot comes from: its signed manifest and index
//! record          what was made on the host: initrd, mapped owners
//! identity        whether an image is for this host; version: which of two is newer
//! etc             what of /etc stays the host's; accounts: users and groups, merged; host_paths: what else is the host's
//! persistent      directories beside /var that become the host's because an image says so
//! initrd          where an initrd comes from; boot: boot loaders
//!
//! run             the one runner for external programs; snapper: how it is run, and its table
//! in_target       runs a program of the new system in it, in namespaces of its own
//! without_plugins snapper for another host than the running one
//! tukit           transactional-update's locks
//! tree            single files of a system's tree; os_release: a parser
//! ```
#![forbid(unsafe_code)]

pub mod accounts;
pub mod boot;
pub mod command;
pub mod config;
pub mod diff;
pub mod etc;
pub mod facts;
pub mod host;
pub mod host_paths;
pub mod identity;
pub mod in_target;
pub mod initrd;
pub mod os_release;
pub mod persistent;
pub mod pin;
pub mod provenance;
pub mod record;
pub mod rollback;
pub mod run;
pub mod snapper;
pub mod snapshots;
pub mod transaction;
pub mod tree;
pub mod tukit;
pub mod unlisted;
pub mod verify;
pub mod version;
pub mod without_plugins;
