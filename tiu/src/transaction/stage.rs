//! The stages as an administrator sees them: each is one step of the progress and one line of the
//! journal.

use super::context::Context;
use super::error::ApplyError;
use std::time::Instant;
use tiu_system::progress::Unit;

/// A stage of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The bundle's signature, manifest and index.
    Verify,
    /// Decides what becomes of `/etc`, users and groups.
    Etc,
    /// Compares the base with the image.
    Compare,
    /// Fills the new snapshot.
    Copy,
    /// Runs dracut.
    Initrd,
    /// Labels what was made on the host.
    Labels,
    /// Compares the new snapshot with the index.
    Check,
    /// Makes the new snapshot boot next.
    Commit,
}

impl Stage {
    /// Returns the name in the journal, and the words of the progress.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Stage::Verify => ("verify", "Verifying the bundle"),
            Stage::Etc => ("etc", "Merging /etc"),
            Stage::Compare => ("compare", "Comparing files"),
            Stage::Copy => ("copy", "Copying files"),
            Stage::Initrd => ("initrd", "Making the initrd"),
            Stage::Labels => ("labels", "Labelling files"),
            Stage::Check => ("check", "Checking the snapshot"),
            Stage::Commit => ("commit", "Making it boot next"),
        }
    }
}

impl Context<'_> {
    /// Runs `work` as a stage. `snapshot` is the new snapshot and `version` the image's, once they
    /// are known.
    pub(super) fn stage<T, E: Into<ApplyError>>(
        &self,
        stage: Stage,
        snapshot: Option<u32>,
        version: Option<&str>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, ApplyError> {
        let (stage, words) = stage.names();
        let began = Instant::now();
        let result = self.watch.phase(words, 0, Unit::Bytes, work);
        let seconds = began.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                tracing::info!(stage, snapshot, version, seconds, "{stage}: {seconds:.1} s");
                Ok(value)
            }
            Err(error) => {
                tracing::info!(stage, snapshot, version, seconds, "{stage}: stopped after {seconds:.1} s");
                Err(error.into())
            }
        }
    }
}
