//! A snapshot, and tiu's notes in snapper's userdata.

use std::collections::BTreeMap;

/// Userdata key of the state.
pub const STATE_KEY: &str = "tiu-state";
/// Userdata key of the image's version, for people who read snapper's table. What counts is in the
/// snapshot.
pub const VERSION_KEY: &str = "tiu-version";
/// Userdata key of the image's kind of host. See [`VERSION_KEY`].
pub const COMPATIBLE_KEY: &str = "tiu-compatible";
/// Userdata key of a pinned snapshot. Its value is the cleanup algorithm that the snapshot had.
pub const PIN_KEY: &str = "tiu-pinned";

/// State of a snapshot that is being made.
pub const IN_PROGRESS: &str = "in-progress";
/// State of a snapshot that is complete and checked, but was not yet made what boots next.
pub const CHECKED: &str = "checked";
/// State of a snapshot that was made what boots next.
pub const DONE: &str = "done";
/// snapper's cleanup algorithm for finished snapshots: it keeps a number of them. An unfinished
/// snapshot has none, or a clean-up could take it while it is made.
pub const CLEANUP: &str = "number";

/// The state of a snapshot, from its userdata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not made by tiu.
    Ordinary,
    /// Being made, or left over from a run that was cut off.
    InProgress,
    /// Complete and checked.
    Done,
    /// A state that this version of tiu does not know.
    Unknown,
}

/// A snapshot that snapper lists and that has a subvolume.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// snapper's number. Numbers are used again after a deletion.
    pub number: u32,
    /// Creation time, RFC 3339, UTC.
    pub date: String,
    /// snapper's description.
    pub description: String,
    /// snapper's cleanup algorithm; empty for none.
    pub cleanup: String,
    /// snapper's userdata.
    pub userdata: BTreeMap<String, String>,
    /// Id of the subvolume.
    pub id: u64,
    /// UUID of the subvolume.
    pub uuid: String,
    /// UUID of the subvolume that it was made from.
    pub parent_uuid: Option<String>,
    /// True if the subvolume is read-only.
    pub read_only: bool,
    /// True if it boots next.
    pub default: bool,
    /// True if it is mounted at the host's root: for the running system, the snapshot that runs.
    pub active: bool,
}

impl Snapshot {
    /// Returns the state by the userdata, and by whether the last step was done.
    pub fn state(&self) -> State {
        match self.userdata.get(STATE_KEY).map(String::as_str) {
            None => State::Ordinary,
            Some(CHECKED) if self.is_committed() => State::Done,
            Some(CHECKED | IN_PROGRESS) => State::InProgress,
            Some(DONE) => State::Done,
            Some(_) => State::Unknown,
        }
    }

    /// Returns whether the snapshot is kept from every clean-up. See [`pin`](super::pin()).
    pub fn is_pinned(&self) -> bool {
        self.cleanup.is_empty() && self.userdata.contains_key(PIN_KEY)
    }

    /// Returns whether a run made the snapshot what boots next and was cut off before it marked it
    /// as done.
    pub fn is_committed(&self) -> bool {
        self.userdata.get(STATE_KEY).is_some_and(|state| state == CHECKED) && (self.default || self.active)
    }
}
