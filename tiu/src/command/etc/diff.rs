//! `tiu etc diff`: the differences between `/etc` and the image.

use super::shared::paths;
use crate::command::host::OpenedHost;
use crate::command::table::printable;
use serde::Serialize;
use tiu::edit::EtcChange;
use tiu::edit::unified;
use tiu_cli::{CommandResult, CommonArguments, exit};

/// Show what differs in /etc from the image: A added, M modified, D deleted
///
/// Content, type, mode, owner, extended attributes and ACLs are compared. The modification time is
/// not.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc diff
  tiu etc diff -p /etc/ssh/sshd_config")]
pub struct EtcDiffArguments {
    /// Paths to compare, with everything below them, like /etc/ssh [default: all]
    paths: Vec<String>,
    /// Show the differences line by line, in unified format
    #[arg(short, long)]
    patch: bool,
    /// Number of the snapshot [default: what runs]
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct EtcDiff {
    snapshot: u32,
    changes: Vec<ShownChange>,
}

#[derive(Serialize)]
struct ShownChange {
    #[serde(flatten)]
    change: EtcChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

impl EtcDiffArguments {
    pub fn run(self, opened: &OpenedHost, common: &CommonArguments) -> CommandResult {
        let wanted = paths(&self.paths)?;
        let view = opened.view(&opened.running(self.snapshot)?)?;
        let within = |change: &EtcChange| wanted.iter().any(|top| change.path.starts_with(top));
        let shown = |change: EtcChange| {
            let diff = self.patch.then(|| unified(&view, &change));
            ShownChange { change, diff }
        };
        let changes = view.changes().into_iter().filter(within).map(shown).collect();
        let diff = EtcDiff { snapshot: view.number(), changes };
        common.print(&diff, || human(&diff))?;
        Ok(exit::DONE)
    }
}

fn human(diff: &EtcDiff) -> String {
    let mut text = String::new();
    for ShownChange { change, diff } in &diff.changes {
        let details = match change.what.as_slice() {
            [] => String::new(),
            details => format!("  ({})", details.join(", ")),
        };
        text += &format!("{} /{}{details}\n", change.change, change.path);
        // Each line by itself: line feeds stay, and other control characters are escaped.
        let lines = diff.iter().flat_map(|diff| diff.lines());
        lines.for_each(|line| text += &format!("{}\n", printable(&line.replace('\t', "        "))));
    }
    text
}
