//! `tiu cleanup`: removes what runs that were cut off left behind.

use super::{HostArguments, Outcome, print, print_json};
use serde::Serialize;
use tiu::draft;
use tiu_cli::exit;

/// Removes unfinished snapshots of runs that were cut off
///
/// `tiu apply` does the same before it begins. Finished snapshots are left to snapper's own clean-up.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu cleanup

Ends with 77 if there is nothing to remove.")]
pub struct Arguments {
    #[command(flatten)]
    host: HostArguments,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
}

/// `--json`.
#[derive(Serialize)]
struct Report {
    removed: Vec<u32>,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let opened = self.host.open()?;
        let _lock = opened.host.lock()?;
        let removed = draft::clean_up(opened.next())?;
        let code = if removed.is_empty() { exit::NOTHING_TO_DO } else { exit::DONE };
        if self.json {
            print_json(&Report { removed })?;
        } else if removed.is_empty() {
            print("There is nothing to remove.\n")?;
        } else {
            for number in removed {
                print(&format!("Removed the unfinished snapshot {number}.\n"))?;
            }
        }
        Ok(code)
    }
}
