//! Shared code of the commands of `tiu etc`: the snapshot that they work on, their paths, and the
//! output of a change.

use crate::command::global::NAME;
use crate::command::host::OpenedHost;
use crate::command::record::{self, RecordFacts};
use tiu::config::EtcTarget;
use tiu::edit::EditError;
use tiu::edit::View;
use tiu::edit::change;
use tiu::edit::path_in_etc;
use tiu::etc::ETC;
use tiu::snapshots::{Snapshot, SnapshotError};
use tiu::state::ImageState;
use tiu_cli::CommonArguments;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Cancel;

impl OpenedHost {
    /// Returns the snapshot of that number, or without a number what boots next.
    pub fn next_or(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match number {
            Some(number) => self.host.snapshot(number),
            None => self.host.default_snapshot(),
        }
    }

    /// Returns the snapshot of that number, or without a number what runs (or is mounted).
    pub fn running(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match self.host.snapshots()?.into_iter().find(|s| number.is_none() && s.active) {
            Some(active) => Ok(active),
            None => self.next_or(number),
        }
    }

    pub fn view(&self, snapshot: &Snapshot) -> Result<View, EditError> {
        View::read(ImageState::open(&self.host, snapshot.number, None)?, &self.config)
    }

    /// Lets `edit` change `/etc`, in the place that the command line or the configuration names.
    pub fn change<T>(
        &self,
        target: Option<EtcTarget>,
        cancel: &Cancel,
        edit: impl FnOnce(&View) -> Result<T, EditError>,
    ) -> Result<(T, u32), EditError> {
        let target = target.unwrap_or(self.config.etc_change);
        change(self.next(), target, cancel, |tree, number| {
            edit(&View::read(ImageState::from_tree(tree, number, None)?, &self.config)?)
        })
    }
}

/// Returns the paths that were given, or all of `/etc`.
pub fn paths(given: &[String]) -> Result<Vec<TreePathBuf>, EditError> {
    match given {
        [] => Ok(vec![ETC.to_owned()]),
        given => given.iter().map(|path| path_in_etc(path)).collect(),
    }
}

/// A change of `/etc`: the document of `--json`.
#[derive(serde::Serialize)]
pub struct Changed<'a> {
    /// Number of the snapshot that was changed or made.
    pub snapshot: u32,
    /// True if the snapshot was made for this change.
    pub made: bool,
    /// Paths that were changed.
    pub paths: &'a [TreePathBuf],
    /// Paths that differ from the image and stay, because they are always the host's.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub always_host: &'a [TreePathBuf],
}

/// Returns the lines that name what stays because it is always the host's.
pub fn stays(always_host: &[TreePathBuf]) -> String {
    if always_host.is_empty() {
        return String::new();
    }
    let lines: String = always_host.iter().map(|path| format!("  /{path}\n")).collect();
    format!("Always the host's, so it stays unless it is named itself:\n{lines}")
}

impl Changed<'_> {
    /// Records the change that `operation` made, and prints it; as text it starts with `heading`
    /// and the place.
    pub fn report(&self, common: &CommonArguments, operation: &str, heading: &str) {
        let paths: Vec<String> = self.paths.iter().map(|path| format!("/{path}")).collect();
        let message = format!("in snapshot {}: {}", self.snapshot, paths.join(", "));
        let facts = RecordFacts { snapshot: Some(self.snapshot), ..RecordFacts::default() };
        record::done(operation, &message, &facts);
        common.print_done(NAME, self, || {
            let place = if self.made {
                format!("in the new snapshot {}, which boots next", self.snapshot)
            } else {
                format!("in snapshot {}, at once", self.snapshot)
            };
            let lines: String = self.paths.iter().map(|path| format!("  /{path}\n")).collect();
            format!("{heading} {place}:\n{lines}{}", stays(self.always_host))
        });
    }
}
