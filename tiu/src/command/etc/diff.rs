//! `tiu etc diff`: what is not as the image has it.

use super::{Opened, Outcome, paths};
use crate::command::table::printable;
use crate::command::{print, print_json};
use serde::Serialize;
use tiu::edit::Change;
use tiu::edit::unified;
use tiu::etc::is_within;
use tiu_cli::exit;

/// Shows what differs in /etc from the image's defaults: A added, M modified, D deleted
///
/// Content, type, mode, owner, extended attributes and ACLs count, the modification time does not.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc diff
  tiu etc diff -p /etc/ssh/sshd_config")]
pub struct Arguments {
    /// Only these and what lies below them, like /etc/ssh
    paths: Vec<String>,
    /// Shows the differences line by line, in unified format
    #[arg(short, long)]
    patch: bool,
    /// In this snapshot instead of in what runs
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// `--json`.
#[derive(Serialize)]
struct Diff {
    snapshot: u32,
    changes: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

impl Arguments {
    pub fn run(self, opened: &Opened, json: bool) -> Outcome {
        let wanted = paths(&self.paths)?;
        let view = opened.view(&opened.running(self.snapshot)?)?;
        let within = |change: &Change| {
            let path = tiu::etc::unescape(&change.path);
            wanted.iter().any(|top| is_within(&path, top))
        };
        let shown = |change: Change| {
            let diff = self.patch.then(|| unified(&view, &change));
            Shown { change, diff }
        };
        let changes = view.changes().into_iter().filter(within).map(shown).collect();
        let diff = Diff { snapshot: view.number(), changes };
        match json {
            true => print_json(&diff)?,
            false => print(&human(&diff))?,
        }
        Ok(exit::DONE)
    }
}

fn human(diff: &Diff) -> String {
    let mut text = String::new();
    for Shown { change, diff } in &diff.changes {
        let what = match change.what.as_slice() {
            [] => String::new(),
            what => format!("  ({})", what.join(", ")),
        };
        text += &format!("{} /{}{what}\n", change.change, change.path);
        // Line by line, so that the lines stay and nothing else steers the terminal.
        let lines = diff.iter().flat_map(|diff| diff.lines());
        lines.for_each(|line| text += &format!("{}\n", printable(&line.replace('\t', "        "))));
    }
    text
}
