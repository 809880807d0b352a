//! Pin: a snapshot that no clean-up may remove, neither ours nor snapper's.
//!
//! snapper's clean-up takes what has a cleanup algorithm (`number`, `timeline`); userdata `important=yes` only lets it take less of that. So
//! a pinned snapshot has none. The one that it had is kept in its userdata, and comes back when it is unpinned. Both change in one
//! write of snapper's (its info.xml is replaced whole), so a crash leaves a snapshot pinned or not.

use crate::host::Host;
use crate::snapshots::{Snapshot, SnapshotError, State};
use tiu_cli::exit;
use tiu_system::Hint;

/// Userdata key of a pinned snapshot: the cleanup algorithm that it had.
pub const PIN_KEY: &str = "tiu-pinned";
/// Stands for no cleanup algorithm: snapper removes keys without a value.
const NONE: &str = "none";

/// Why a snapshot was not pinned or unpinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// See [`SnapshotError`].
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// It will be removed.
    #[error("snapshot {0} is unfinished: it cannot be pinned")]
    Unfinished(u32),
    /// There is nothing to do.
    #[error("snapshot {0} is pinned already")]
    Already(u32),
    /// There is nothing to do.
    #[error("snapshot {0} is not pinned")]
    NotPinned(u32),
}

impl Hint for PinError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            PinError::Snapshot(e) => return e.hint(),
            PinError::Unfinished(_) => "tiu cleanup removes it; tiu list shows the others".into(),
            PinError::Already(number) => {
                format!("tiu pin --remove {number} gives it back to snapper's clean-up")
            }
            PinError::NotPinned(_) => "tiu list shows which snapshots are".into(),
        })
    }
}

impl PinError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            PinError::Already(_) | PinError::NotPinned(_) => exit::NOTHING_TO_DO,
            _ => exit::FAILED,
        }
    }
}

/// A change of a snapshot's entry in snapper's table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    cleanup: String,
    /// Value of [`PIN_KEY`]; none removes it.
    pin: Option<String>,
}

/// What pinning changes. One that was pinned once and then given a cleanup algorithm by other means is pinned anew.
fn pinned(snapshot: &Snapshot) -> Result<Change, PinError> {
    match snapshot.state() {
        State::InProgress => Err(PinError::Unfinished(snapshot.number)),
        _ if snapshot.is_pinned() => Err(PinError::Already(snapshot.number)),
        _ => {
            let former = if snapshot.cleanup.is_empty() { NONE } else { &snapshot.cleanup };
            Ok(Change { cleanup: String::new(), pin: Some(former.to_owned()) })
        }
    }
}

/// What unpinning changes.
fn unpinned(snapshot: &Snapshot) -> Result<Change, PinError> {
    let former = snapshot.userdata.get(PIN_KEY).ok_or(PinError::NotPinned(snapshot.number))?;
    let cleanup = match (snapshot.cleanup.as_str(), former.as_str()) {
        ("", NONE) => String::new(),
        ("", former) => former.to_owned(),
        // Somebody decided otherwise since.
        (now, _) => now.to_owned(),
    };
    Ok(Change { cleanup, pin: None })
}

/// Pins a snapshot. The caller holds the host's lock.
pub fn pin(host: &Host, number: u32) -> Result<(), PinError> {
    let change = pinned(&host.snapshot(number)?)?;
    carry_out(host, number, &change)
}

/// Gives a snapshot back to the clean-up that it was pinned against, and names that: empty if there was none. The caller holds the
/// host's lock.
pub fn unpin(host: &Host, number: u32) -> Result<String, PinError> {
    let change = unpinned(&host.snapshot(number)?)?;
    carry_out(host, number, &change)?;
    Ok(change.cleanup)
}

fn carry_out(host: &Host, number: u32, change: &Change) -> Result<(), PinError> {
    let userdata = format!("{PIN_KEY}={}", change.pin.as_deref().unwrap_or_default());
    host.snapper.set_cleanup(number, &change.cleanup, &userdata).map_err(SnapshotError::from)?;
    let found = host.snapshot(number)?;
    match found.cleanup == change.cleanup && found.userdata.get(PIN_KEY) == change.pin.as_ref() {
        true => Ok(()),
        false => Err(SnapshotError::NotDone {
            what: format!("set the cleanup algorithm of snapshot {number} to {:?}", change.cleanup),
            found: format!("{:?} and userdata {:?}", found.cleanup, found.userdata),
            output: String::new(),
        }
        .into()),
    }
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

    #[test]
    fn what_was_pinned_comes_back_as_it_was() {
        for former in ["", "number", "timeline"] {
            let change = pinned(&snapshot(former, &[])).unwrap();
            assert_eq!(change.cleanup, "");
            let now = snapshot("", &[(PIN_KEY, change.pin.as_deref().unwrap())]);
            assert!(now.is_pinned());
            assert_eq!(unpinned(&now).unwrap(), Change { cleanup: former.into(), pin: None });
        }
    }

    #[test]
    fn a_pin_that_somebody_undid_by_other_means() {
        let undone = snapshot("number", &[(PIN_KEY, "timeline")]);
        assert!(!undone.is_pinned());
        assert_eq!(pinned(&undone).unwrap().pin.as_deref(), Some("number"));
        assert_eq!(unpinned(&undone).unwrap().cleanup, "number");
    }

    #[test]
    fn twice_never_and_unfinished_are_told_apart() {
        assert!(matches!(pinned(&snapshot("", &[(PIN_KEY, "none")])), Err(PinError::Already(7))));
        assert!(matches!(unpinned(&snapshot("number", &[])), Err(PinError::NotPinned(7))));
        let unfinished = snapshot("number", &[("tiu-state", "in-progress")]);
        assert!(matches!(pinned(&unfinished), Err(PinError::Unfinished(7))));
    }
}
