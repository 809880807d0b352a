//! `tiu pin`: protects a snapshot from every clean-up.

use super::global::{GlobalArguments, NAME, nothing_to_do};
use super::record::{self, RecordFacts};
use serde::Serialize;
use tiu::outcome::Outcome;
use tiu::snapshots::{pin, unpin};
use tiu_cli::{CommandResult, exit};

/// Protect a snapshot from every clean-up, tiu's and snapper's
///
/// Its cleanup algorithm is removed and remembered; --remove restores it. A pinned snapshot can
/// still be deleted by hand (snapper delete).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu pin 7              keep snapshot 7
  tiu pin --remove 7     let snapper remove it again

Ends with 77 if the snapshot is already pinned, or, with --remove, if it is not pinned.")]
pub struct PinArguments {
    /// Number of the snapshot
    number: u32,
    /// Remove the pin: clean-ups can remove the snapshot again
    #[arg(long)]
    remove: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Pinned {
    snapshot: u32,
    pinned: bool,
    /// The cleanup algorithm that it has now; empty for none.
    cleanup: String,
}

impl PinArguments {
    /// Returns the name of what is done, for the record.
    pub fn operation(&self) -> &'static str {
        if self.remove { "unpin" } else { "pin" }
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let _lock = opened.host.lock()?;
        let (operation, snapshot) = (self.operation(), self.number);
        let facts = RecordFacts { snapshot: Some(snapshot), ..RecordFacts::default() };
        let changed = if self.remove {
            unpin(&opened.host, snapshot)?
        } else {
            match pin(&opened.host, snapshot)? {
                Outcome::Done(()) => Outcome::Done(String::new()),
                Outcome::NothingToDo(reason) => Outcome::NothingToDo(reason),
            }
        };
        let cleanup = match changed {
            Outcome::Done(cleanup) => cleanup,
            Outcome::NothingToDo(reason) => return Ok(nothing_to_do(operation, &reason, &facts)),
        };
        let pinned = Pinned { snapshot, pinned: !self.remove, cleanup };
        let message = if self.remove { "is no longer pinned" } else { "is pinned" };
        record::done(operation, &format!("snapshot {snapshot} {message}"), &facts);
        global.common.print_done(NAME, &pinned, || human(&pinned));
        Ok(exit::DONE)
    }
}

fn human(pinned: &Pinned) -> String {
    let Pinned { snapshot, pinned, cleanup } = pinned;
    match (pinned, cleanup.as_str()) {
        (true, _) => format!("Snapshot {snapshot} is pinned: no clean-up removes it.\n"),
        (false, "") => {
            format!("Snapshot {snapshot} is no longer pinned; it has no cleanup algorithm, as before.\n")
        }
        (false, name) => {
            format!("Snapshot {snapshot} is no longer pinned; snapper's {name} clean-up may remove it.\n")
        }
    }
}
