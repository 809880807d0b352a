//! What boots next: the one door, and the boot loaders behind it.
//!
//! | file | holds |
//! |---|---|
//! | `next` | [`Next`], which alone sets the default and deletes snapshots |
//! | `loader` | [`BootLoader`]: what the door asks of a boot loader |
//! | `none` | the boot loader that needs nothing |
//! | `initrd` | a new snapshot's initrd: where it comes from, and what is in it |
//! | `bootable` | what a boot needs of a snapshot |
//!
//! A boot loader of another kind is one more file beside `none`, chosen in [`boot_loader`].

pub(crate) mod bootable;
mod error;
pub mod initrd;
mod loader;
mod next;
mod none;

pub use bootable::NotBootable;
pub use error::BootError;
pub use loader::BootLoader;
pub use next::Next;

use crate::config::Boot;

/// Returns the boot loader that `boot:` of the configuration names.
pub fn boot_loader(boot: Boot) -> Box<dyn BootLoader> {
    match boot {
        Boot::None => Box::new(none::NoBootLoader),
    }
}
