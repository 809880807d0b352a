//! Boot loaders: what must be written so that a new default is what boots.
//!
//! One implementation for each kind of boot loader; `boot:` of the configuration chooses.

pub mod initrd;

use crate::config::Boot;
use crate::host::Host;
use crate::snapshots::Snapshot;
use crate::transaction::ApplyError;
use tiu_system::tree::Tree;

/// A way to tell a boot loader about a new snapshot.
pub trait BootLoader {
    /// Called by the stage `finish`: writes what must lie in the snapshot, before it is checked and becomes read-only. Gives the paths
    /// that were written, without leading slash; they go into the snapshot's record.
    fn prepare(&self, target: &Tree) -> Result<Vec<String>, ApplyError>;

    /// Called by the stage `commit`, after everything else is on the disk and before the default is set: makes the boot entry. A
    /// crash afterwards must still boot the old default.
    fn commit(&self, host: &Host, target: &Snapshot) -> Result<(), ApplyError>;
}

/// Nothing is to be written: what boots reads kernel and initrd from the default subvolume (SUSE's GRUB, QEMU given both), or is
/// told by someone else.
struct NoBootLoader;

impl BootLoader for NoBootLoader {
    fn prepare(&self, _target: &Tree) -> Result<Vec<String>, ApplyError> {
        Ok(Vec::new())
    }

    fn commit(&self, _host: &Host, _target: &Snapshot) -> Result<(), ApplyError> {
        Ok(())
    }
}

/// The configured one.
pub fn boot_loader(boot: Boot) -> Box<dyn BootLoader> {
    match boot {
        Boot::None => Box::new(NoBootLoader),
    }
}
