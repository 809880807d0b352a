//! Pins: snapshots that no clean-up may remove, neither tiu's nor snapper's.
//!
//! snapper's clean-up removes snapshots that have a cleanup algorithm (`number`, `timeline`); the
//! userdata `important=yes` only makes it remove fewer. A pinned snapshot therefore has no
//! algorithm. Its userdata keeps the old one, which comes back when it is unpinned. Both change in
//! one write of snapper's (it replaces info.xml whole), so a crash leaves a snapshot pinned or not.

use super::error::SnapshotError;
use super::flags::unlock_entry;
use super::model::{PIN_KEY, Snapshot, State};
use crate::host::Host;
use crate::outcome::{NothingToDo, Outcome};
use tiu_system::hints;

/// Stands for no cleanup algorithm: snapper removes keys without a value.
const NO_ALGORITHM: &str = "none";

/// The reason why a snapshot was not pinned or unpinned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    #[error(transparent)]
    #[allow(missing_docs)]
    Snapshot(#[from] SnapshotError),
    /// The next clean-up removes it.
    #[error("snapshot {0} is unfinished: it cannot be pinned")]
    Unfinished(u32),
}

hints! { PinError {
    forward Snapshot;
    Unfinished(_) => "tiu cleanup removes it; tiu list shows the others",
} }

/// A change of a snapshot's entry in snapper's table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PinChange {
    cleanup: String,
    /// Value of [`PIN_KEY`]; none removes it.
    pin: Option<String>,
}

/// Returns what pinning changes. A snapshot that was pinned once and then given a cleanup algorithm
/// by other means is pinned again.
fn pinned(snapshot: &Snapshot) -> Result<Outcome<PinChange>, PinError> {
    if snapshot.state() == State::InProgress {
        return Err(PinError::Unfinished(snapshot.number));
    }
    if snapshot.is_pinned() {
        return Ok(Outcome::NothingToDo(NothingToDo::Pinned(snapshot.number)));
    }
    let former = if snapshot.cleanup.is_empty() { NO_ALGORITHM } else { &snapshot.cleanup };
    Ok(Outcome::Done(PinChange { cleanup: String::new(), pin: Some(former.to_owned()) }))
}

/// Returns what unpinning changes.
fn unpinned(snapshot: &Snapshot) -> Outcome<PinChange> {
    let Some(former) = snapshot.userdata.get(PIN_KEY) else {
        return Outcome::NothingToDo(NothingToDo::NotPinned(snapshot.number));
    };
    let cleanup = match (snapshot.cleanup.as_str(), former.as_str()) {
        ("", NO_ALGORITHM) => String::new(),
        ("", former) => former.to_owned(),
        // Somebody decided otherwise since.
        (now, _) => now.to_owned(),
    };
    Outcome::Done(PinChange { cleanup, pin: None })
}

/// Pins a snapshot. The caller holds the host's lock.
pub fn pin(host: &Host, number: u32) -> Result<Outcome<()>, PinError> {
    match pinned(&host.snapshot(number)?)? {
        Outcome::Done(change) => Ok(Outcome::Done(carry_out(host, number, &change)?)),
        Outcome::NothingToDo(why) => Ok(Outcome::NothingToDo(why)),
    }
}

/// Returns a snapshot to the clean-up that it was pinned against, and returns that clean-up's name:
/// empty if there was none. The caller holds the host's lock.
pub fn unpin(host: &Host, number: u32) -> Result<Outcome<String>, PinError> {
    match unpinned(&host.snapshot(number)?) {
        Outcome::Done(change) => {
            carry_out(host, number, &change)?;
            Ok(Outcome::Done(change.cleanup))
        }
        Outcome::NothingToDo(why) => Ok(Outcome::NothingToDo(why)),
    }
}

fn carry_out(host: &Host, number: u32, change: &PinChange) -> Result<(), PinError> {
    let userdata = format!("{PIN_KEY}={}", change.pin.as_deref().unwrap_or_default());
    unlock_entry(host, number)?;
    host.snapper.set_cleanup(number, &change.cleanup, &userdata).map_err(SnapshotError::from)?;
    let found = host.snapshot(number)?;
    if found.cleanup != change.cleanup || found.userdata.get(PIN_KEY) != change.pin.as_ref() {
        return Err(SnapshotError::NotDone {
            what: format!("set the cleanup algorithm of snapshot {number} to {:?}", change.cleanup),
            found: format!("{:?} and userdata {:?}", found.cleanup, found.userdata),
            output: String::new(),
        }
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn snapshot(cleanup: &str, userdata: &[(&str, &str)]) -> Snapshot {
        Snapshot {
            number: 7,
            date: String::new(),
            description: String::new(),
            cleanup: cleanup.into(),
            userdata: userdata
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect::<BTreeMap<_, _>>(),
            id: 300,
            uuid: String::new(),
            parent_uuid: None,
            read_only: true,
            default: false,
            active: false,
        }
    }

    fn done(outcome: Outcome<PinChange>) -> PinChange {
        match outcome {
            Outcome::Done(change) => change,
            Outcome::NothingToDo(why) => panic!("{why}"),
        }
    }

    #[test]
    fn what_was_pinned_comes_back_as_it_was() {
        for former in ["", "number", "timeline"] {
            let change = done(pinned(&snapshot(former, &[])).unwrap());
            assert_eq!(change.cleanup, "");
            let now = snapshot("", &[(PIN_KEY, change.pin.as_deref().unwrap())]);
            assert!(now.is_pinned());
            assert_eq!(done(unpinned(&now)), PinChange { cleanup: former.into(), pin: None });
        }
    }

    #[test]
    fn a_pin_that_somebody_undid_by_other_means() {
        let undone = snapshot("number", &[(PIN_KEY, "timeline")]);
        assert!(!undone.is_pinned());
        assert_eq!(done(pinned(&undone).unwrap()).pin.as_deref(), Some("number"));
        assert_eq!(done(unpinned(&undone)).cleanup, "number");
    }

    #[test]
    fn twice_never_and_unfinished_are_distinct() {
        let twice = pinned(&snapshot("", &[(PIN_KEY, "none")])).unwrap();
        assert_eq!(twice, Outcome::NothingToDo(NothingToDo::Pinned(7)));
        let never = unpinned(&snapshot("number", &[]));
        assert_eq!(never, Outcome::NothingToDo(NothingToDo::NotPinned(7)));
        let unfinished = snapshot("number", &[("tiu-state", "in-progress")]);
        assert!(matches!(pinned(&unfinished), Err(PinError::Unfinished(7))));
    }
}
