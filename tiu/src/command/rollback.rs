//! `tiu rollback`: makes another snapshot boot next.

use super::global::{GlobalArguments, NAME, nothing_to_do};
use super::record::{self, RecordFacts};
use super::table::printable;
use serde::Serialize;
use tiu::outcome::Outcome;
use tiu::rollback;
use tiu::status::SnapshotFacts;
use tiu_cli::{CommandResult, exit};

/// Make another snapshot what boots next: the given one, or the one that the current default was
/// made from
///
/// Nothing is copied or removed, so a rollback can be undone in the same way. It takes effect at
/// the next boot.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu rollback         go back to what the current default was made from
  tiu rollback 7       go to snapshot 7

Ends with 77 if the snapshot already boots next.")]
pub struct RollbackArguments {
    /// Number of the snapshot
    number: Option<u32>,
    /// Go to a snapshot that lacks something that its boot needs, such as an initrd
    #[arg(long, requires = "number")]
    force: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct RolledBack<'a> {
    from: Option<u32>,
    to: &'a SnapshotFacts,
}

impl RollbackArguments {
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let _lock = opened.lock()?;
        let snapshots = opened.snapshots(Some(&opened.next().selected()?))?;
        let from = snapshots.iter().find(|s| s.next).map(|s| s.number);
        let to = match rollback::choose(&snapshots, self.number, self.force)? {
            Outcome::Done(to) => to,
            Outcome::NothingToDo(reason) => {
                return Ok(nothing_to_do("rollback", &reason, &RecordFacts::default()));
            }
        };
        rollback::switch(opened.next(), to.number)?;
        if let Err(error) = tiu::update::note_avoided(&opened.host, &opened.config) {
            tiu_cli::warn(NAME, &format!("an unattended update may undo this: {error}"));
        }
        let was = from.map(|from| format!(" instead of snapshot {from}")).unwrap_or_default();
        let message = format!("snapshot {} ({}, {}) boots next{was}", to.number, to.title(), to.signed());
        let signer = to.signature.signer();
        let facts =
            RecordFacts { snapshot: Some(to.number), image: to.image.as_ref(), signer, seconds: None };
        record::done("rollback", &message, &facts);
        let rolled_back = RolledBack { from, to };
        global.common.print_done(NAME, &rolled_back, || human(&rolled_back));
        Ok(exit::DONE)
    }
}

fn human(rolled_back: &RolledBack) -> String {
    let RolledBack { from, to } = rolled_back;
    let (title, signed) = (printable(&to.title()), printable(&to.signed()));
    let mut text = format!("Snapshot {} boots next: {title}, {signed}.\n", to.number);
    if let Some(from) = from {
        text += &format!("Snapshot {from} stays; `tiu rollback {from}` makes it boot next again.\n");
    }
    text
}
