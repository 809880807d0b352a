//! `tiu etc conflicts`: the paths that both the image and the administrator changed.

use crate::command::host::OpenedHost;
use serde::Serialize;
use tiu::edit::EditError;
use tiu::etc::{Decided, ETC, PRISTINE_PATH};
use tiu_cli::{CommandResult, CommonArguments, exit};
use tiu_system::path::TreePathBuf;

/// List the unresolved conflicts in /etc: what both the image and the administrator changed
///
/// The host's version is in place, the image's version in /usr/lib/sysimage/tiu/etc. A conflict
/// ends when the file equals the image's (edit it, or use `tiu etc reset`), or when the
/// administrator decides that the host's version stays (`tiu etc keep`).
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu etc conflicts")]
pub struct EtcConflictsArguments {
    /// Number of the snapshot [default: what boots next]
    #[arg(long, value_name = "N")]
    snapshot: Option<u32>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Conflicts<'a> {
    snapshot: u32,
    conflicts: Vec<Conflict<'a>>,
}

#[derive(Serialize)]
struct Conflict<'a> {
    #[serde(flatten)]
    decided: &'a Decided,
    /// Path of the image's version, if it has one.
    #[serde(rename = "beside")]
    image_path: Option<TreePathBuf>,
}

impl EtcConflictsArguments {
    pub fn run(self, opened: &OpenedHost, common: &CommonArguments) -> CommandResult {
        let view = opened.view(&opened.next_or(self.snapshot)?)?;
        if view.report()?.is_none() {
            return Err(EditError::NoReport(view.number()).into());
        }
        let image_path = |decided: &Decided| {
            let inside = decided.path.strip_prefix(ETC)?;
            decided.image.as_ref().map(|_| PRISTINE_PATH.join(inside))
        };
        let conflicts = view.conflicts()?;
        let conflicts = conflicts
            .into_iter()
            .map(|decided| Conflict { decided, image_path: image_path(decided) })
            .collect();
        let conflicts = Conflicts { snapshot: view.number(), conflicts };
        common.print(&conflicts, || human(&conflicts))?;
        Ok(exit::DONE)
    }
}

fn human(conflicts: &Conflicts) -> String {
    if conflicts.conflicts.is_empty() {
        return format!("No conflicts in /etc of snapshot {}.\n", conflicts.snapshot);
    }
    let mut text = format!("Conflicts in /etc of snapshot {}:\n", conflicts.snapshot);
    for Conflict { decided, image_path } in &conflicts.conflicts {
        let host = if decided.host.is_some() { "" } else { "; the host does not have it" };
        text += &format!("  /{}: {}{host}\n", decided.path, decided.reason);
        text += &match image_path {
            Some(path) => format!("      the image's version: /{path}\n"),
            None => "      the image no longer has it\n".to_owned(),
        };
    }
    text + "tiu etc reset PATH takes the image's version, tiu etc keep PATH the host's; \
            tiu etc diff -p PATH compares them.\n"
}
