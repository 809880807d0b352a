//! The open file of the host's lock, shared with the programs that the lock protects.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// The open file of a lock, while the lock is held. The host's programs share it.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldFile(Arc<Mutex<Option<OwnedFd>>>);

impl HeldFile {
    /// Replaces the open file, and returns the former one.
    pub(super) fn replace(&self, file: Option<OwnedFd>) -> Option<OwnedFd> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), file)
    }

    /// Returns another descriptor of the open file, if the lock is held.
    pub(super) fn descriptor(&self) -> std::io::Result<Option<OwnedFd>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(OwnedFd::try_clone).transpose()
    }
}
