//! Updates inside transactional-update: its program tukit makes the snapshot and calls a plugin at
//! fixed stages.
//!
//! ```text
//! tiu update --tukit                  transactional-update, tukit         plugin (tiu tukit-event)
//!   choose and verify a bundle
//!   write /run/tiu/tukit.json, hold its lock
//!   start transactional-update   ->   open: make a snapshot          ->   init-post: fill it
//!                                     initrd, grub.cfg, boot loader
//!                                     close                          ->   finalize-pre: check it
//!                                     make it the default            ->   finalize-post
//!   adopt the new default, remove the file
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `event` | the stages and their arguments |
//! | `pending` | the file in `/run/tiu` that says what the plugin is to do |
//! | `plugin` | the plugin's side |
//! | `drive` | the side of `tiu update --tukit` |
//!
//! The stages are those of tukit 6.1: doc/tukit-plugins.md and lib/Transaction.cpp of
//! <https://github.com/openSUSE/transactional-update>.

mod drive;
mod error;
mod event;
mod pending;
mod plugin;

pub use drive::{DriveRequest, drive};
pub use error::TukitError;
pub use event::TukitEvent;
pub use pending::{Pending, Stage};
pub use plugin::on_tukit_event;
