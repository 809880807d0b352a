//! `tiu pin`: a snapshot that no clean-up may remove.

use super::{HostArguments, Opened, Outcome, nothing_to_do, print, print_json};
use serde::Serialize;
use tiu::outcome::Outcome as Changed;
use tiu::snapshots::{pin, unpin};
use tiu_cli::exit;

/// Keeps a snapshot from every clean-up, ours and snapper's
///
/// Its cleanup algorithm is taken away and remembered; --remove puts it back. By hand it can still be deleted (snapper delete).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu pin 7              snapshot 7 stays
  tiu pin --remove 7     snapper may remove it again

Ends with 77 if it is pinned already, or with --remove if it is not.")]
pub struct Arguments {
    /// Number of the snapshot
    number: u32,
    /// Lets clean-ups have it again
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    host: HostArguments,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
}

/// `--json`.
#[derive(Serialize)]
struct Report {
    snapshot: u32,
    pinned: bool,
    /// The cleanup algorithm that it has now; empty for none.
    cleanup: String,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let Opened { host, .. } = self.host.open()?;
        let _lock = host.lock()?;
        let number = self.number;
        let changed = if self.remove {
            unpin(&host, number)?
        } else {
            match pin(&host, number)? {
                Changed::Done(()) => Changed::Done(String::new()),
                Changed::NothingToDo(why) => Changed::NothingToDo(why),
            }
        };
        let cleanup = match changed {
            Changed::Done(cleanup) => cleanup,
            Changed::NothingToDo(why) => return nothing_to_do(&why),
        };
        if self.json {
            print_json(&Report { snapshot: number, pinned: !self.remove, cleanup })?;
            return Ok(exit::DONE);
        }
        print(&match (self.remove, cleanup.as_str()) {
            (false, _) => format!("Snapshot {number} is pinned: no clean-up removes it.\n"),
            (true, "") => {
                format!("Snapshot {number} is no longer pinned; it has no cleanup algorithm, as before.\n")
            }
            (true, name) => {
                format!("Snapshot {number} is no longer pinned; snapper's {name} clean-up may remove it.\n")
            }
        })?;
        Ok(exit::DONE)
    }
}
