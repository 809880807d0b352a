//! The next boot: the one door, and the boot loaders behind it.
//!
//! | file | holds |
//! |---|---|
//! | `next` | [`Next`], which alone sets the default and deletes snapshots |
//! | `sequence` | the order of its steps, and what becomes of an interrupted one |
//! | `note` | the note of the snapshot that is being made what boots next |
//! | `loader` | [`BootLoader`]: what the door asks of a boot loader |
//! | `failed` | the images that did not start |
//! | `none` | the boot loader that needs nothing |
//! | `bls` | systemd-boot, with boot entries that tiu writes |
//! | `initrd` | a new snapshot's initrd: where it comes from, and what is in it |
//! | `bootable` | what a boot needs of a snapshot |
//!
//! A boot loader of another kind is one more file next to `none`, chosen in [`boot_loader`].

mod bls;
pub(crate) mod bootable;
mod error;
mod failed;
pub(crate) mod initrd;
mod loader;
mod next;
mod none;
mod note;
mod sequence;

pub use bls::BlsError;
pub use bootable::NotBootable;
pub use error::BootError;
pub use initrd::{InitrdError, Judgement, Needs, judge};
pub use loader::{
    BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, NeededFile, Selected, Standing,
};
pub use next::Next;
pub use sequence::Reconciled;

use crate::config::{Boot, Config};
use crate::host::Host;

/// Returns the boot loader of `host`: the one that `boot:` of the configuration names, or that is
/// detected.
pub fn boot_loader(host: &Host, config: &Config) -> Box<dyn BootLoader> {
    match config.boot {
        Boot::None => Box::new(none::NoBootLoader {
            why: "boot: none is configured".into(),
            // Another program changes the arguments.
            fixed: None,
        }),
        Boot::Auto => match bls::detect::detect(host, config) {
            Ok(entries) => Box::new(entries),
            Err(why) => Box::new(none::NoBootLoader { why, fixed: bls::detect::fixed_subvolume(host) }),
        },
        Boot::Bls => match bls::detect::configured(host, config) {
            Ok(entries) => Box::new(entries),
            Err(why) => Box::new(bls::Unusable { why }),
        },
    }
}
