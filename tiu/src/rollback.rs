//! Rollback: another snapshot boots next. Nothing is copied and nothing is lost; it can be undone
//! the same way. Marks say whether a snapshot works.

use crate::boot::{BootError, Next, Standing};
use crate::outcome::{NothingToDo, Outcome};
use crate::snapshots::{SnapshotError, State};
use crate::status::{SnapshotFacts, ways_back};
use tiu_system::hints;
use tiu_system::progress::Cancel;

/// The reason why the next boot was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum RollbackError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Boot(#[from] BootError),
    /// It would boot half an image.
    #[error("snapshot {0} was never finished")]
    Unfinished(u32),
    /// It would boot nothing.
    #[error("snapshot {number} would not boot: {lacks}")]
    NotBootable {
        number: u32,
        /// The missing part.
        lacks: String,
    },
    /// The image would boot next although it does not work.
    #[error("snapshot {0} would still boot next: there is no other snapshot with a system to go back to")]
    NothingElse(u32),
    /// There is no other.
    #[error("there is no other snapshot with a system to go back to")]
    Nowhere,
}

hints! { RollbackError {
    forward Snapshot, Boot;
    Unfinished(_) =>
    "remove it with tiu cleanup; tiu status shows the ways back",
    NotBootable { number, .. } =>
    format!("tiu status shows the ways back; tiu rollback --force {number} goes there anyway"),
    NothingElse(_) => "apply another image first: tiu apply BUNDLE",
    Nowhere => "apply an image: tiu apply BUNDLE",
} }

/// Chooses from `snapshots` the one to go to: `wanted`, or the one that the default was made from.
/// With `force`, `wanted` may lack what its boot needs.
pub fn choose(
    snapshots: &[SnapshotFacts],
    wanted: Option<u32>,
    force: bool,
) -> Result<Outcome<&SnapshotFacts>, RollbackError> {
    let Some(number) = wanted else {
        return ways_back(snapshots).into_iter().next().map(Outcome::Done).ok_or(RollbackError::Nowhere);
    };
    let Some(found) = snapshots.iter().find(|s| s.number == number) else {
        let there = snapshots.iter().map(|s| s.number).collect();
        return Err(SnapshotError::NotFound { number, there }.into());
    };
    match found {
        found if !matches!(found.state, State::Ordinary | State::Done) => {
            Err(RollbackError::Unfinished(number))
        }
        found if !found.bootable && !force => {
            let lacks = found.lacks.clone().or_else(|| found.problem.clone()).unwrap_or_default();
            Err(RollbackError::NotBootable { number, lacks })
        }
        found if found.next => Ok(Outcome::NothingToDo(NothingToDo::BootsNext(number))),
        found => Ok(Outcome::Done(found)),
    }
}

/// Makes snapshot `number` what boots next. The caller holds the host's lock.
pub fn switch(next: Next, number: u32) -> Result<(), RollbackError> {
    let snapshot = next.host().snapshot(number)?;
    Ok(next.switch(&snapshot, Standing::Kept, &Cancel::new())?)
}

/// Marks snapshot `number` as good. The caller holds the host's lock.
pub fn mark_good(next: Next, number: u32) -> Result<Outcome<()>, RollbackError> {
    let snapshot = next.host().snapshot(number)?;
    if snapshot.state() == State::InProgress {
        return Err(RollbackError::Unfinished(number));
    }
    Ok(if next.mark_good(&snapshot)? {
        Outcome::Done(())
    } else {
        Outcome::NothingToDo(NothingToDo::Good(number))
    })
}

/// Marks snapshot `number` as bad, for the reason `reason`: its image is not applied again by
/// itself, and where the snapshot would boot next, the first way back of `snapshots` does. Returns
/// that. The caller holds the host's lock.
pub fn mark_bad(
    next: Next,
    snapshots: &[SnapshotFacts],
    number: u32,
    reason: &str,
) -> Result<Option<u32>, RollbackError> {
    let host = next.host();
    let snapshot = host.snapshot(number)?;
    let boots_next = snapshots.iter().any(|s| s.number == number && s.next);
    let to = if boots_next {
        let other = ways_back(snapshots).first().map(|s| s.number);
        Some(host.snapshot(other.ok_or(RollbackError::NothingElse(number))?)?)
    } else {
        None
    };
    next.mark_bad(&snapshot, reason, to.as_ref())?;
    Ok(to.map(|to| to.number))
}
