//! `tiu etc conflicts`: what both the image and the administrator changed, and nobody resolved.

use super::{Opened, Outcome};
use crate::command::{print, print_json};
use serde::Serialize;
use tiu::edit::EditError;
use tiu::etc::Decided;
use tiu::etc::PRISTINE_PATH;
use tiu_cli::exit;

/// Lists what both the image and the administrator changed in /etc, each in its own way, until it is resolved
///
/// The host's version is in place, the image's beside in /usr/lib/sysimage/tiu/etc. A conflict is resolved when the file is as the image
/// has it (by hand, or with `tiu etc reset`), or when the administrator says that the host's version stays (`tiu etc keep`).
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu etc conflicts")]
pub struct Arguments {
    /// Of this snapshot instead of what boots next
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// `--json`.
#[derive(Serialize)]
struct Conflicts<'a> {
    snapshot: u32,
    conflicts: Vec<Conflict<'a>>,
}

#[derive(Serialize)]
struct Conflict<'a> {
    #[serde(flatten)]
    decided: &'a Decided,
    /// Where the image's version lies, if it has one.
    beside: Option<String>,
}

impl Arguments {
    pub fn run(self, opened: &Opened, json: bool) -> Outcome {
        let view = opened.view(&opened.next_or(self.snapshot)?)?;
        if view.report()?.is_none() {
            return Err(EditError::NoReport(view.number()).into());
        }
        let beside = |decided: &Decided| {
            let inside = decided.path.strip_prefix("etc")?;
            decided.image.as_ref().map(|_| format!("{PRISTINE_PATH}{inside}"))
        };
        let conflicts = view.conflicts()?;
        let conflicts =
            conflicts.into_iter().map(|decided| Conflict { decided, beside: beside(decided) }).collect();
        let conflicts = Conflicts { snapshot: view.number(), conflicts };
        match json {
            true => print_json(&conflicts)?,
            false => print(&human(&conflicts))?,
        }
        Ok(exit::DONE)
    }
}

fn human(conflicts: &Conflicts) -> String {
    if conflicts.conflicts.is_empty() {
        return format!("No conflicts in /etc of snapshot {}.\n", conflicts.snapshot);
    }
    let mut text = format!("Conflicts in /etc of snapshot {}:\n", conflicts.snapshot);
    for Conflict { decided, beside } in &conflicts.conflicts {
        let host = if decided.host.is_some() { "" } else { "; the host does not have it" };
        text += &format!("  /{}: {}{host}\n", decided.path, decided.reason);
        text += &match beside {
            Some(beside) => format!("      the image's version: /{beside}\n"),
            None => "      the image does not have it any more\n".to_owned(),
        };
    }
    text + "tiu etc reset PATH takes the image's version, tiu etc keep PATH the host's; tiu etc diff -p PATH compares them.\n"
}
