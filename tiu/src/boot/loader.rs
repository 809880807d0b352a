//! The interface of a boot loader.

use super::error::BootError;
use crate::host::Host;
use crate::snapshots::Snapshot;
use serde::Serialize;
use std::path::PathBuf;
use tiu_bundle::content_digest::Digest;
use tiu_system::tree::Tree;

/// A boot loader: how a snapshot's entry comes and goes, and what the machine boots because of it.
///
/// Only [`Next`](super::Next) calls these, except `prepare`, which writes into a snapshot that is
/// not finished. Each call can be the last before a power cut: whatever booted before it must still
/// boot after it. Each call can be repeated.
pub trait BootLoader {
    /// Returns what it is and why tiu uses it.
    fn facts(&self) -> LoaderFacts;

    /// Returns what decides which snapshot boots.
    fn decides(&self) -> Decides;

    /// Checks that an update with these files could be made what boots next. Writes nothing.
    fn preflight(&self, host: &Host, need: &Need) -> Result<(), BootError>;

    /// Writes what must lie in the snapshot, before it is checked and becomes read-only. Returns
    /// the paths that were written; they go into the snapshot's record.
    fn prepare(&self, target: &Tree) -> Result<Vec<String>, BootError>;

    /// Writes what must lie outside of the snapshot, under names that the boot loader ignores, and
    /// reads it back. Everything else of the snapshot is on the disk. What boots does not change.
    fn stage(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError>;

    /// Makes the staged `snapshot` what boots next by one write, and makes that last. Does nothing
    /// where the default decides.
    fn select(&self, host: &Host, snapshot: &Snapshot, standing: Standing) -> Result<(), BootError>;

    /// Returns what boots next, and what boots if that does not start. Reads files and variables
    /// and computes; changes nothing.
    fn selected(&self, host: &Host) -> Result<Selected, BootError>;

    /// Returns the entry of `snapshot`.
    fn entry(&self, host: &Host, snapshot: &Snapshot) -> Result<EntryState, BootError>;

    /// Marks the entry of `snapshot` as good or bad. Does nothing where it has none.
    fn mark(&self, host: &Host, snapshot: &Snapshot, mark: Mark) -> Result<(), BootError>;

    /// Removes the boot entry of `snapshot`, if it has one. The snapshot is deleted right after.
    fn forget(&self, host: &Host, snapshot: &Snapshot) -> Result<(), BootError>;

    /// Removes what interrupted runs left, and entries of snapshots that no longer exist.
    fn tidy(&self, host: &Host) -> Result<(), BootError>;
}

/// The fact that decides which snapshot boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decides {
    /// The filesystem's default subvolume.
    Default,
    /// The boot loader's entries. The default subvolume follows them.
    Loader,
}

/// The way in which a snapshot is made the one that boots next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On trial: if it does not start a few times, the boot loader goes back.
    Trial,
    /// As it was before: one that has started stays trusted.
    Kept,
}

/// The result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It has started. It is no longer counted.
    Good,
    /// It does not work. The boot loader tries everything else before it.
    Bad,
}

/// The snapshot or entry that a machine boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Boots {
    /// A snapshot.
    Snapshot {
        /// Its number.
        number: u32,
    },
    /// Something else, in words: an entry of another system, a subvolume that is not a snapshot.
    Other {
        /// Its name.
        name: String,
    },
    /// Nothing.
    Nothing,
}

impl Boots {
    /// Returns the number of the snapshot.
    pub fn number(&self) -> Option<u32> {
        match self {
            Boots::Snapshot { number } => Some(*number),
            _ => None,
        }
    }
}

impl std::fmt::Display for Boots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Boots::Snapshot { number } => write!(f, "snapshot {number}"),
            Boots::Other { name } => f.write_str(name),
            Boots::Nothing => f.write_str("nothing"),
        }
    }
}

/// The next boot, and the one after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selected {
    /// The boot before the next one, if something else boots once.
    pub once: Option<Boots>,
    /// The next boot.
    pub next: Boots,
    /// The boot if the next one does not start. The same where nothing goes back by itself.
    pub then: Boots,
}

/// The state of a snapshot's boot entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// It has none, or needs none.
    Missing,
    /// It is not counted.
    Good,
    /// It is on trial, with so many attempts left.
    Trial(u32),
    /// It had so many attempts, and did not start.
    Exhausted(u32),
}

/// A boot loader and the reason why it is used, as `tiu status` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoaderFacts {
    /// The value of `boot:` that names it.
    pub loader: &'static str,
    /// The reason why it is used.
    pub why: String,
    /// The partition that it reads, where tiu writes entries.
    pub partition: Option<PathBuf>,
    /// True if it goes back by itself from a snapshot that does not start.
    pub goes_back: bool,
}

/// The files that a new snapshot's boot entry needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// The kernel.
    pub kernel: Option<NeededFile>,
    /// The initrd, if there will be one.
    pub initrd: Option<NeededFile>,
}

/// A file that a boot entry needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededFile {
    /// Its size in bytes, or the most that it is expected to have.
    pub size: u64,
    /// Its content, where that is known.
    pub digest: Option<Digest>,
}
