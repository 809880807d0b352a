//! A boot loader that is configured but cannot be used.

use super::BlsError;
use crate::boot::error::BootError;
use crate::boot::loader::{BootLoader, Decides, EntryState, LoaderFacts, Mark, Need, Selected, Standing};
use crate::host::Host;
use crate::snapshots::Snapshot;
use tiu_system::tree::Tree;

/// Fails, with the reason, whatever is asked of it: an update that changed only the default would
/// not boot.
pub struct Unusable {
    /// The reason why it cannot be reached.
    pub why: String,
}

impl Unusable {
    fn fail<T>(&self) -> Result<T, BootError> {
        Err(BlsError::NoPartition(self.why.clone()).into())
    }
}

impl BootLoader for Unusable {
    fn facts(&self) -> LoaderFacts {
        let why = "boot: bls is configured".into();
        LoaderFacts { loader: "bls", why, partition: None, goes_back: false }
    }

    fn decides(&self) -> Decides {
        Decides::Loader
    }

    fn preflight(&self, _host: &Host, _need: &Need) -> Result<(), BootError> {
        self.fail()
    }

    fn prepare(&self, _target: &Tree) -> Result<Vec<String>, BootError> {
        self.fail()
    }

    fn stage(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        self.fail()
    }

    fn select(&self, _host: &Host, _snapshot: &Snapshot, _standing: Standing) -> Result<(), BootError> {
        self.fail()
    }

    fn selected(&self, _host: &Host) -> Result<Selected, BootError> {
        self.fail()
    }

    fn entry(&self, _host: &Host, _snapshot: &Snapshot) -> Result<EntryState, BootError> {
        self.fail()
    }

    fn mark(&self, _host: &Host, _snapshot: &Snapshot, _mark: Mark) -> Result<(), BootError> {
        self.fail()
    }

    fn forget(&self, _host: &Host, _snapshot: &Snapshot) -> Result<(), BootError> {
        self.fail()
    }

    fn tidy(&self, _host: &Host) -> Result<(), BootError> {
        self.fail()
    }
}
