//! `tiu etc report`: what the last update decided about `/etc`.

use super::{Opened, Outcome};
use crate::command::{print, print_json};
use serde::Serialize;
use tiu::accounts::Note;
use tiu::edit::EditError;
use tiu::etc::{Decided, EtcReport};
use tiu::state::ImageState;
use tiu_cli::exit;

/// Shows what the update decided about /etc, path by path, and why
///
/// It is what `tiu apply --dry-run` prints, kept in the snapshot. Paths that nobody changed are only counted.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc report
  tiu etc report --json | jq '.paths[] | select(.conflict)'")]
pub struct Arguments {
    /// Of this snapshot instead of what boots next
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    snapshot: u32,
    from: Option<&'a str>,
    to: &'a str,
    unchanged: usize,
    paths: &'a [Decided],
    accounts: &'a [Note],
}

impl Arguments {
    pub fn run(self, opened: &Opened, json: bool) -> Outcome {
        let snapshot = opened.next_or(self.snapshot)?;
        let state = ImageState::open(&opened.host, snapshot.number, None)?;
        let report = state.report()?.ok_or(EditError::NoReport(snapshot.number))?;
        match json {
            true => print_json(&Shown {
                snapshot: snapshot.number,
                from: report.from.as_deref(),
                to: &report.to,
                unchanged: report.unchanged,
                paths: &report.paths,
                accounts: &report.accounts,
            })?,
            false => print(&human(snapshot.number, report))?,
        }
        Ok(exit::DONE)
    }
}

fn human(number: u32, report: &EtcReport) -> String {
    use crate::command::table::printable;
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
