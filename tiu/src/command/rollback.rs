//! `tiu rollback`: another snapshot boots next.

use super::table::printable;
use super::{HostArguments, Outcome, nothing_to_do, print, print_json};
use serde::Serialize;
use tiu::outcome::Outcome as Changed;
use tiu::rollback;
use tiu::status::SnapshotFacts;
use tiu_cli::exit;

/// Makes another snapshot what boots next: the given one, or the one that the current default was made from
///
/// Nothing is copied or removed, so this can be undone in the same way. Takes effect at the next boot.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu rollback         back to what the current default was made from
  tiu rollback 7       to snapshot 7

Ends with 77 if the snapshot already boots next.")]
pub struct Arguments {
    /// Number of the snapshot
    number: Option<u32>,
    #[command(flatten)]
    host: HostArguments,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
}

/// `--json`.
#[derive(Serialize)]
struct Report<'a> {
    from: Option<u32>,
    to: &'a SnapshotFacts,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let opened = self.host.open()?;
        let _lock = opened.host.lock()?;
        let snapshots = tiu::status::snapshots(&opened.host, opened.trust.as_ref())?;
        let from = snapshots.iter().find(|s| s.next).map(|s| s.number);
        let to = match rollback::choose(&snapshots, self.number)? {
            Changed::Done(to) => to,
            Changed::NothingToDo(why) => return nothing_to_do(&why),
        };
        rollback::switch(opened.next(), to.number)?;
        if self.json {
            print_json(&Report { from, to })?;
            return Ok(exit::DONE);
        }
        print(&format!(
            "Snapshot {} boots next: {}, {}.\n",
            to.number,
            printable(&to.title()),
            printable(&to.signed())
        ))?;
        if let Some(from) = from {
            print(&format!("Snapshot {from} stays; `tiu rollback {from}` makes it boot next again.\n"))?;
        }
        Ok(exit::DONE)
    }
}
