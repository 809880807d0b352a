//! The boot loader that needs nothing.

use super::error::BootError;
use super::loader::{BootLoader, Boots, Decides, EntryState, LoaderFacts, Mark, Need, Selected, Standing};
use crate::host::Host;
use crate::snapshots::Snapshot;
use libbtrfsutil::subvolume_path_with_id;
use tiu_system::tree::Tree;

/// Writes nothing: what boots reads kernel and initrd from the default subvolume (SUSE's GRUB, QEMU
/// given both), or somebody else writes its entries.
pub(super) struct NoBootLoader {
    /// The reason why no boot loader is informed.
    pub why: String,
    /// The subvolume that the arguments of the running kernel name: the default does not boot.
    pub fixed: Option<String>,
}

impl NoBootLoader {
    fn check(&self) -> Result<(), BootError> {
        match self.fixed.clone() {
            Some(subvolume) => Err(BootError::Fixed { subvolume, why: self.why.clone() }),
            None => Ok(()),
        }
    }
}

impl BootLoader for NoBootLoader {
    fn facts(&self) -> LoaderFacts {
        LoaderFacts { loader: "none", why: self.why.clone(), partition: None, goes_back: false }
    }

    fn decides(&self) -> Decides {
        Decides::Default
    }

    fn preflight(&self, _host: &Host, _need: &Need) -> Result<(), BootError> {
        self.check()
    }

    fn prepare(&self, _target: &Tree) -> Result<Vec<String>, BootError> {
        Ok(Vec::new())
    }

    fn stage(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        self.check()
    }

    fn select(&self, _host: &Host, _snapshot: &Snapshot, _standing: Standing) -> Result<(), BootError> {
        Ok(())
    }

    fn selected(&self, host: &Host) -> Result<Selected, BootError> {
        self.check()?;
        let next = default_subvolume(host)?;
        Ok(Selected { once: None, then: next.clone(), next })
    }

    fn entry(&self, _host: &Host, _snapshot: &Snapshot) -> Result<EntryState, BootError> {
        Ok(EntryState::Missing)
    }

    fn mark(&self, _host: &Host, _snapshot: &Snapshot, _mark: Mark) -> Result<(), BootError> {
        Ok(())
    }

    fn forget(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        Ok(())
    }

    fn tidy(&self, _host: &Host) -> Result<(), BootError> {
        Ok(())
    }
}

/// Returns what the default subvolume is.
pub(super) fn default_subvolume(host: &Host) -> Result<Boots, BootError> {
    let id = host.default_id()?;
    if let Some(found) = host.snapshots()?.into_iter().find(|snapshot| snapshot.id == id) {
        return Ok(Boots::Snapshot { number: found.number });
    }
    let name = subvolume_path_with_id(host.root(), id)
        .map_or_else(|_| format!("the subvolume {id}"), |path| format!("the subvolume {}", path.display()));
    Ok(Boots::Other { name })
}
