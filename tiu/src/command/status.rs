//! `tiu status`: what runs, what boots next, what one can go back to, who signed it, and whether it is still what was signed.

use super::table::{columns, minute, printable};
use super::{HostArguments, Opened, Outcome, print, print_json};
use crate::facts::{self, SnapshotFacts, ways_back};
use crate::snapshots::State;
use serde::Serialize;
use std::path::Path;
use tiu_bundle::console::exit;

/// Shows what runs, what boots next, what one can go back to, and who signed it
///
/// Signatures, manifests and indexes are checked here; whether every file is still what was signed, `tiu verify` tells.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu status
  tiu status --json | jq .next")]
pub struct Arguments {
    #[command(flatten)]
    host: HostArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// `--json`.
#[derive(Serialize)]
struct Status<'a> {
    root: &'a Path,
    live: bool,
    running: Option<u32>,
    next: Option<u32>,
    back: Vec<u32>,
    unfinished: Vec<u32>,
    snapshots: &'a [SnapshotFacts],
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let Opened { host, trust, .. } = self.host.open()?;
        let snapshots = facts::snapshots(&host, trust.as_ref())?;
        let number =
            |wanted: fn(&SnapshotFacts) -> bool| snapshots.iter().find(|s| wanted(s)).map(|s| s.number);
        let status = Status {
            root: host.root(),
            live: host.is_live(),
            running: number(|s| s.running),
            next: number(|s| s.next),
            back: ways_back(&snapshots).iter().map(|s| s.number).collect(),
            unfinished: snapshots.iter().filter(|s| s.state == State::InProgress).map(|s| s.number).collect(),
            snapshots: &snapshots,
        };
        match self.json {
            true => print_json(&status)?,
            false => print(&human(&status))?,
        }
        Ok(exit::DONE)
    }
}

fn human(status: &Status) -> String {
    let find = |number: Option<u32>| status.snapshots.iter().find(|s| Some(s.number) == number);
    let row = |label: &str, snapshot: &SnapshotFacts| {
        vec![
            label.to_owned(),
            snapshot.number.to_string(),
            printable(&snapshot.title()),
            minute(&snapshot.date),
            printable(&snapshot.signed()) + if snapshot.pinned { ", pinned" } else { "" },
        ]
    };
    let mut rows = Vec::new();
    let running = if status.live { "Running" } else { "Mounted" };
    match find(status.running) {
        Some(snapshot) => rows.push(row(running, snapshot)),
        None => rows.push(vec![running.into(), "-".into(), "none of the snapshots".into()]),
    }
    match find(status.next) {
        Some(next) if Some(next.number) == status.running => {
            rows.push(vec!["Next boot".into(), next.number.to_string(), "the same".into()]);
        }
        Some(next) => rows.push(row("Next boot", next)),
        None => rows.push(vec!["Next boot".into(), "-".into(), "none of the snapshots".into()]),
    }
    for (i, number) in status.back.iter().enumerate() {
        if let Some(snapshot) = find(Some(*number)) {
            rows.push(row(if i == 0 { "Back to" } else { "" }, snapshot));
        }
    }
    if status.back.is_empty() {
        rows.push(vec!["Back to".into(), "-".into(), "no other snapshot has a system".into()]);
    }
    let host = match status.live {
        true => "this system".to_owned(),
        false => format!("mounted at {}", status.root.display()),
    };
    let mut text = format!("Host: {}\n{}", printable(&host), columns(&rows, "  "));
    for number in &status.unfinished {
        text += &format!(
            "Snapshot {number} is unfinished: being made now, or left over (tiu cleanup removes it).\n"
        );
    }
    text
}
