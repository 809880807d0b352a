//! The transaction: from a bundle to a snapshot that boots next. Each stage is a function; this is
//! their order, and what a crash in each leaves behind.
//!
//! | stage | does | a crash leaves |
//! |---|---|---|
//! | preflight | signature; lock; identity, space, `/etc`, accounts, host, and whether what is planned trusts its image; removes leftovers | nothing new |
//! | open | makes a read-write [draft](crate::draft) of the base, marked `tiu-state=in-progress` | a draft |
//! | fill | the engine brings it to the image's tree, reads back each file that it makes, and brings `/etc` and accounts to what was decided; signed manifest, index, the image's `/etc` and the report are stored next to it | a draft |
//! | finish | makes the initrd, chrooted into the draft, records what was made, and labels it where SELinux is used | a draft |
//! | check | the new snapshot still trusts its image; compares every inode with the index again; all content too where a program of the image ran; asks what a boot needs | a draft |
//! | commit | the host remembers the image; read-only, `tiu-state=checked`, syncfs; then the default is set: the one moment that counts; then `tiu-state=done` | before it: a draft that is complete; after it: the new default, which counts as done |
//!
//! A draft never boots on its own, and the next run or `tiu cleanup` removes it. An error or a
//! cancellation removes it at once. If that fails too, both errors are reported, the first one
//! first.

mod apply;
mod bootable;
mod check;
mod context;
mod damage;
mod error;
mod facts;
mod fill;
mod finish;
mod floor;
mod foreign;
mod identity;
mod initrd;
mod inside;
mod labels;
mod next_trust;
mod open;
mod own_files;
mod pending;
mod preflight;
mod sealed;
mod space;
mod stage;
mod swap;

pub use apply::{apply, dry_run};
pub use context::{Context, KnownImage, Request};
pub use error::ApplyError;
pub use facts::{Applied, Planned, UpdateFacts};
pub(crate) use floor::signed_at;
pub(crate) use identity::{KnownHost, identify};
pub(crate) use inside::fill_inside;
pub(crate) use open::in_thread;
pub(crate) use pending::pending;
