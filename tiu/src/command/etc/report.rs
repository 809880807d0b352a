//! `tiu etc report`: the decisions of the last update about `/etc`.

use crate::command::host::OpenedHost;
use crate::command::table::printable;
use serde::Serialize;
use tiu::accounts::Note;
use tiu::edit::EditError;
use tiu::etc::{Decided, EtcReport};
use tiu::state::ImageState;
use tiu_cli::{CommandResult, CommonArguments, exit};

/// Show what the update decided about /etc, path by path, and why
///
/// `tiu apply --dry-run` prints the same before the update. Unchanged paths are only counted.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc report
  tiu etc report --json | jq '.paths[] | select(.conflict)'")]
pub struct EtcReportArguments {
    /// Number of the snapshot [default: what boots next]
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct ShownReport<'a> {
    snapshot: u32,
    from: Option<&'a str>,
    to: &'a str,
    unchanged: usize,
    paths: &'a [Decided],
    accounts: &'a [Note],
}

impl EtcReportArguments {
    pub fn run(self, opened: &OpenedHost, common: &CommonArguments) -> CommandResult {
        let snapshot = opened.next_or(self.snapshot)?;
        let state = ImageState::open(&opened.host, snapshot.number, None)?;
        let report = state.report()?.ok_or(EditError::NoReport(snapshot.number))?;
        let shown = ShownReport {
            snapshot: snapshot.number,
            from: report.from.as_deref(),
            to: &report.to,
            unchanged: report.unchanged,
            paths: &report.paths,
            accounts: &report.accounts,
        };
        common.print(&shown, || human(snapshot.number, report))?;
        Ok(exit::DONE)
    }
}

fn human(number: u32, report: &EtcReport) -> String {
    let from = match &report.from {
        Some(from) => format!("from version {}", printable(from)),
        None => "from a host without an image".to_owned(),
    };
    let mut text = format!("Snapshot {number}: /etc {from} to version {}\n", printable(&report.to));
    report.paths.iter().for_each(|decided| text += &format!("{decided}\n"));
    text += &format!("{} other paths: nobody changed them\n", report.unchanged);
    report.accounts.iter().for_each(|note| text += &format!("account   {}\n", printable(&note.to_string())));
    text
}
