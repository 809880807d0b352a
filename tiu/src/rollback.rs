//! Rollback: another snapshot boots next. Nothing is copied and nothing is lost; it can be undone the same way.

use crate::host::Host;
use crate::snapshots::{SnapshotError, State};
use crate::status::{SnapshotFacts, ways_back};
use tiu_cli::exit;
use tiu_system::Hint;

/// Why the default was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// It would boot half an image.
    #[error("snapshot {0} was never finished")]
    Unfinished(u32),
    /// It would boot nothing.
    #[error("snapshot {0} has no system that could boot")]
    NoSystem(u32),
    /// It boots next already.
    #[error("snapshot {0} boots next already")]
    Already(u32),
    /// There is no other.
    #[error("there is no other snapshot with a system to go back to")]
    Nowhere,
}

impl Hint for RollbackError {
    fn hint(&self) -> Option<String> {
        match self {
            RollbackError::Snapshot(e) => e.hint(),
            RollbackError::Unfinished(_) => {
                Some("remove it with tiu cleanup; tiu status shows what one can go back to".into())
            }
            RollbackError::NoSystem(_) => Some("tiu status shows what one can go back to".into()),
            RollbackError::Already(_) => Some("reboot to start it, or name another one".into()),
            RollbackError::Nowhere => Some("apply an image: tiu apply BUNDLE".into()),
        }
    }
}

impl RollbackError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            RollbackError::Already(_) => exit::NOTHING_TO_DO,
            _ => exit::FAILED,
        }
    }
}

/// Which of `snapshots` to go to: `wanted`, or the one that the default was made from.
pub fn choose(snapshots: &[SnapshotFacts], wanted: Option<u32>) -> Result<&SnapshotFacts, RollbackError> {
    let Some(number) = wanted else {
        return ways_back(snapshots).into_iter().next().ok_or(RollbackError::Nowhere);
    };
    let Some(found) = snapshots.iter().find(|s| s.number == number) else {
        let there = snapshots.iter().map(|s| s.number).collect();
        return Err(SnapshotError::NotFound { number, there }.into());
    };
    match found {
        found if !matches!(found.state, State::Ordinary | State::Done) => {
            Err(RollbackError::Unfinished(number))
        }
        found if !found.bootable => Err(RollbackError::NoSystem(number)),
        found if found.next => Err(RollbackError::Already(number)),
        found => Ok(found),
    }
}

/// Makes `to` the default. The caller holds the host's lock.
pub fn switch(host: &Host, to: &SnapshotFacts) -> Result<(), RollbackError> {
    Ok(host.set_default(to.number)?)
}
