//! `tiu mark-good` and `tiu mark-bad`: whether a snapshot works.

use super::global::{GlobalArguments, NAME, nothing_to_do};
use super::record::{self, RecordFacts};
use serde::Serialize;
use tiu::host::Host;
use tiu::outcome::Outcome;
use tiu::rollback;
use tiu_cli::{CommandResult, exit};
use tiu_system::hints;

/// Report that a snapshot works: the one that runs, or the given one
///
/// Its boot entry is no longer on trial, and a note that its image failed is removed. The unit
/// tiu-mark-good.service calls this when a boot has succeeded.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu mark-good        what runs works
  tiu mark-good 7      snapshot 7 works

Ends with 77 if there is nothing to change.")]
pub struct MarkGoodArguments {
    /// Number of the snapshot
    number: Option<u32>,
}

/// Report that a snapshot does not work: the one that runs, or the given one
///
/// Its image is noted as failed: apply refuses it without --force. If the snapshot boots next, the
/// first way back boots next instead. Nothing is rebooted.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu mark-bad                                what runs does not work
  tiu mark-bad --reason 'no network' 7        snapshot 7 does not work")]
pub struct MarkBadArguments {
    /// Number of the snapshot
    number: Option<u32>,
    /// Reason, shown by status and by apply
    #[arg(long, value_name = "TEXT", default_value = "it was marked as bad")]
    reason: String,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Marked {
    snapshot: u32,
    good: bool,
    /// The snapshot that boots next instead.
    to: Option<u32>,
}

/// No snapshot was given, and none runs.
#[derive(Debug, thiserror::Error)]
#[error("the running system is not one of the snapshots")]
struct NoneRuns;

hints! { struct NoneRuns {
    _ => "give the number of the snapshot; tiu list shows them",
} }

/// Returns the snapshot that is meant: `number`, or the one that runs.
fn meant(host: &Host, number: Option<u32>) -> Result<u32, tiu_cli::Failure> {
    if let Some(number) = number {
        return Ok(number);
    }
    let running = host.snapshots()?.into_iter().find(|snapshot| snapshot.active);
    Ok(running.ok_or(NoneRuns)?.number)
}

impl MarkGoodArguments {
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let _lock = opened.lock()?;
        let snapshot = meant(&opened.host, self.number)?;
        let facts = RecordFacts { snapshot: Some(snapshot), ..RecordFacts::default() };
        if let Outcome::NothingToDo(reason) = rollback::mark_good(opened.next(), snapshot)? {
            return Ok(nothing_to_do("mark-good", &reason, &facts));
        }
        record::done("mark-good", &format!("snapshot {snapshot} works"), &facts);
        let marked = Marked { snapshot, good: true, to: None };
        global
            .common
            .print_done(NAME, &marked, || format!("Snapshot {snapshot} works: it is not on trial.\n"));
        Ok(exit::DONE)
    }
}

impl MarkBadArguments {
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let _lock = opened.lock()?;
        let snapshot = meant(&opened.host, self.number)?;
        let snapshots = opened.snapshots(Some(&opened.next().selected()?))?;
        let to = rollback::mark_bad(opened.next(), &snapshots, snapshot, &self.reason)?;
        let facts = RecordFacts { snapshot: Some(snapshot), ..RecordFacts::default() };
        record::done("mark-bad", &format!("snapshot {snapshot} does not work: {}", self.reason), &facts);
        global.common.print_done(NAME, &Marked { snapshot, good: false, to }, || human(snapshot, to));
        Ok(exit::DONE)
    }
}

fn human(snapshot: u32, to: Option<u32>) -> String {
    let mut text = format!("Snapshot {snapshot} is bad: its image is not applied again without --force.\n");
    if let Some(to) = to {
        text += &format!("Snapshot {to} boots next instead.\n");
    }
    text
}
