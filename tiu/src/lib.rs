//! The client: updates a host by whole images. Each image becomes a btrfs snapshot that snapper
//! lists.
//!
//! This library does the work; the program `tiu` reads the command line, calls it and prints. The
//! rooms of the library, each above the rooms that it uses:
//!
//! ```text
//! hooks           events of other programs
//! media           updates from media that are plugged in
//! update          tiu update: chooses the image that an unattended update applies
//! transaction     tiu apply: preflight, open, fill, finish, check, commit
//! edit            tiu etc: compares and changes /etc of a snapshot
//! verify          tiu verify: whether a snapshot is still what was signed
//! diff            tiu diff: compares two images, their files and packages
//! rollback        tiu rollback: another snapshot boots next
//! status          tiu status, tiu list: facts about snapshots
//!
//! draft           a snapshot while it is made: opened, then committed or abandoned
//! boot            what boots next, boot loaders and initrds
//! etc             the merge of /etc; accounts: the merge of users and groups
//! incoming        the image to apply: whether it is for this host, and whether it is newer
//! state           what a snapshot says of itself
//! snapshots       lists, makes, changes, deletes and pins snapshots
//! host            a checked host, its lock, its paths
//! config          tiu.yaml
//! labels          SELinux labels: whether an update must have and can have them
//! outcome         done, or nothing to do
//! namespace       programs in their own namespaces
//! ```
//!
//! # Where new parts go
//!
//! - A **boot loader** implements [`boot::BootLoader`] in a file of `boot/`, gets a value of the
//!   key `boot` in `config`, and a line in [`boot::boot_loader`]. [`boot::Next`] asks it whenever
//!   another snapshot is to boot next and before a snapshot is deleted; nothing else changes.
//! - A **download** is a source of bytes: a type that implements `tiu_bundle::read_at::ReadAt` in a
//!   crate of its own, so that no network code enters this one. Everything above reads a bundle
//!   through that trait.
//! - A **command** is a file in the program's `command/` (arguments and output) that calls a room
//!   here (the work). Errors implement [`tiu_system::Hint`]; "there was nothing to do" is an
//!   [`outcome::Outcome`], not an error.
//!
//! Each room is one module with its own face; the files below it are private.
//!
//! # Examples
//!
//! Reads the configuration of a host that is mounted somewhere:
//!
//! ```
//! use tiu::config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = tempfile::tempdir()?;
//! std::fs::create_dir_all(host.path().join("etc/tiu"))?;
//! std::fs::write(host.path().join("etc/tiu/tiu.yaml"), "compatible: example\n")?;
//! let config = Config::load(host.path())?;
//! assert_eq!(config.compatible.as_deref(), Some("example"));
//! assert!(!config.allow_downgrade, "the default");
//! # Ok(())
//! # }
//! ```
//!
//! Lists what a host could go back to, the best snapshot first:
//!
//! ```no_run
//! use tiu::config::Config;
//! use tiu::host::Host;
//! use tiu::status::{snapshots, ways_back};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::open(None)?;
//! let config = Config::load(host.root())?;
//! let all = snapshots(&host, &config, None)?;
//! for snapshot in ways_back(&all) {
//!     let version = snapshot.image.as_ref().map_or("no image", |image| &image.version);
//!     println!("{:>4} {} {version}", snapshot.number, snapshot.date);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod accounts;
pub mod boot;
pub mod config;
pub mod diff;
pub mod draft;
pub mod edit;
pub mod etc;
pub mod hooks;
pub mod host;
pub(crate) mod incoming;
pub(crate) mod labels;
pub mod media;
pub mod namespace;
pub mod outcome;
pub mod rollback;
pub mod snapshots;
pub mod state;
pub mod status;
pub mod transaction;
pub mod update;
pub mod verify;
