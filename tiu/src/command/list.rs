//! `tiu list`: lists all snapshots.

use super::global::GlobalArguments;
use super::table::{columns, minute, printable};
use serde::Serialize;
use tiu::snapshots::State;
use tiu::status::SnapshotFacts;
use tiu_cli::{CommandResult, exit};

/// List all snapshots of the host, with the images that they hold
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu list

`>` marks what runs (or is mounted), `*` what boots next.")]
pub struct ListArguments {}

/// The document of `--json`.
#[derive(Serialize)]
struct List<'a> {
    snapshots: &'a [SnapshotFacts],
}

impl ListArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        // `tiu status` reports why what boots is not known.
        let snapshots = opened.snapshots(opened.next().selected().ok().as_ref())?;
        global.common.print(&List { snapshots: &snapshots }, || human(&snapshots))?;
        Ok(exit::DONE)
    }
}

fn human(snapshots: &[SnapshotFacts]) -> String {
    let heading = ["", "Number", "State", "Date (UTC)", "Image", "Kernel", "Signature"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for snapshot in snapshots {
        let mark = |on: bool, mark: &'static str| if on { mark } else { " " };
        let state = match snapshot.state {
            State::Ordinary => "ordinary",
            State::InProgress => "unfinished",
            State::Done => "done",
            State::Unknown => "unknown",
        };
        let kernel = snapshot.image.as_ref().and_then(|image| image.kernel.clone());
        rows.push(vec![
            format!("{}{}", mark(snapshot.running, ">"), mark(snapshot.next, "*")),
            snapshot.number.to_string(),
            if snapshot.pinned { format!("{state}, pinned") } else { state.into() },
            minute(&snapshot.date),
            printable(&snapshot.title()),
            printable(&kernel.unwrap_or_else(|| "-".into())),
            printable(&snapshot.signed()),
        ]);
    }
    columns(&rows, "")
}
