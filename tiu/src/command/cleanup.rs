//! `tiu cleanup`: removes the leftovers of interrupted runs.

use super::global::{GlobalArguments, NAME};
use super::record::{self, RecordFacts};
use serde::Serialize;
use tiu::draft;
use tiu_cli::{CommandResult, exit};

/// Remove unfinished snapshots of interrupted runs
///
/// `tiu apply` does the same before it begins. snapper's own clean-up removes finished snapshots.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu cleanup

Ends with 77 if there is nothing to remove.")]
pub struct CleanupArguments {}

/// The document of `--json`.
#[derive(Serialize)]
struct Removed {
    removed: Vec<u32>,
}

impl CleanupArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let _lock = opened.host.lock()?;
        let removed = draft::clean_up(opened.next())?;
        let code = if removed.is_empty() { exit::NOTHING_TO_DO } else { exit::DONE };
        for number in &removed {
            record::removed(*number);
        }
        if removed.is_empty() {
            record::nothing_to_do("cleanup", "nothing to remove", &RecordFacts::default());
        }
        let removed = Removed { removed };
        global.common.print_done(NAME, &removed, || human(&removed.removed));
        Ok(code)
    }
}

fn human(removed: &[u32]) -> String {
    if removed.is_empty() {
        return "There is nothing to remove.\n".into();
    }
    removed.iter().map(|number| format!("Removed the unfinished snapshot {number}.\n")).collect()
}
