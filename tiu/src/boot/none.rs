//! The boot loader that needs nothing.

use super::error::BootError;
use super::loader::BootLoader;
use crate::host::Host;
use crate::snapshots::Snapshot;
use tiu_system::tree::Tree;

/// Writes nothing: what boots reads kernel and initrd from the default subvolume (SUSE's GRUB, QEMU
/// given both), or somebody else writes its entries.
pub(super) struct NoBootLoader;

impl BootLoader for NoBootLoader {
    fn prepare(&self, _target: &Tree) -> Result<Vec<String>, BootError> {
        Ok(Vec::new())
    }

    fn add(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        Ok(())
    }

    fn remove(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        Ok(())
    }
}
