//! `tiu etc`: `/etc` as the administrator has it, as the image has it, and the merge of both.

mod conflicts;
mod diff;
mod keep;
mod report;
mod reset;

use super::GlobalArguments;
use super::host::Opened;
use super::record::{self, Facts};
use clap::Subcommand;
use tiu::config::EtcTarget;
use tiu::edit::EditError;
use tiu::edit::View;
use tiu::edit::change;
use tiu::edit::path_in_etc;
use tiu::etc::ETC;
use tiu::snapshots::{Snapshot, SnapshotError};
use tiu::state::ImageState;
use tiu_cli::{CliError, CommonArguments, Outcome};
use tiu_system::progress::Cancel;

/// Show what differs in /etc from the image, and resolve the conflicts of the last update
///
/// An update merges /etc: what the administrator changed stays, everything else becomes the image's.
/// Where both changed something, the administrator's version stays, and the image's version is in
/// /usr/lib/sysimage/tiu/etc. That is a conflict until the administrator resolves it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc diff                     show what differs from the image
  tiu etc diff -p /etc/ssh         show it below /etc/ssh, line by line
  tiu etc conflicts                list what both the image and the administrator changed
  tiu etc reset /etc/app.conf      take the image's version
  tiu etc keep /etc/app.conf       keep the host's version, and end the conflict
  tiu etc report                   show what the last update decided, path by path, and why")]
pub struct Arguments {
    #[command(subcommand)]
    command: EtcCommand,
}

#[derive(Subcommand)]
enum EtcCommand {
    Diff(diff::Arguments),
    Conflicts(conflicts::Arguments),
    Report(report::Arguments),
    Reset(reset::Arguments),
    Keep(keep::Arguments),
}

impl Arguments {
    /// Returns the name of what the command does, if it changes the host.
    pub fn operation(&self) -> Option<&'static str> {
        match self.command {
            EtcCommand::Reset(_) => Some("etc reset"),
            EtcCommand::Keep(_) => Some("etc keep"),
            _ => None,
        }
    }

    pub fn run(self, global: &GlobalArguments) -> Outcome {
        let opened = global.host.open()?;
        let common = &global.common;
        match self.command {
            EtcCommand::Diff(arguments) => arguments.run(&opened, common),
            EtcCommand::Conflicts(arguments) => arguments.run(&opened, common),
            EtcCommand::Report(arguments) => arguments.run(&opened, common),
            EtcCommand::Reset(arguments) => arguments.run(&opened, common),
            EtcCommand::Keep(arguments) => arguments.run(&opened, common),
        }
    }
}

impl Opened {
    /// Returns the snapshot of that number, or without a number what boots next.
    fn next_or(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match number {
            Some(number) => self.host.snapshot(number),
            None => self.host.default_snapshot(),
        }
    }

    /// Returns the snapshot of that number, or without a number what runs (or is mounted).
    fn running(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match self.host.snapshots()?.into_iter().find(|s| number.is_none() && s.active) {
            Some(active) => Ok(active),
            None => self.next_or(number),
        }
    }

    fn view(&self, snapshot: &Snapshot) -> Result<View, EditError> {
        View::read(ImageState::open(&self.host, snapshot.number, None)?, &self.config)
    }

    /// Lets `edit` change `/etc`, in the place that the command line or the configuration names.
    fn change<T>(
        &self,
        target: Option<EtcTarget>,
        cancel: &Cancel,
        edit: impl FnOnce(&View) -> Result<T, EditError>,
    ) -> Result<(T, u32), EditError> {
        let target = target.unwrap_or(self.config.etc_change);
        change(self.next(), target, cancel, |tree, number| {
            edit(&View::read(ImageState::of_tree(tree, number, None)?, &self.config)?)
        })
    }
}

/// Returns the paths that were given, or all of `/etc`.
fn paths(given: &[String]) -> Result<Vec<Vec<u8>>, EditError> {
    match given {
        [] => Ok(vec![ETC.to_vec()]),
        given => given.iter().map(|path| path_in_etc(path)).collect(),
    }
}

/// A change of `/etc`: the document of `--json`.
#[derive(serde::Serialize)]
struct Changed<'a> {
    /// Number of the snapshot that was changed or made.
    snapshot: u32,
    /// True if the snapshot was made for this change.
    made: bool,
    /// Paths that were changed.
    paths: &'a [String],
}

impl Changed<'_> {
    /// Records the change that `operation` made, and prints it; as text it starts with `heading` and the place.
    fn report(&self, common: &CommonArguments, operation: &str, heading: &str) -> Result<(), CliError> {
        let paths: Vec<String> = self.paths.iter().map(|path| format!("/{path}")).collect();
        let message = format!("in snapshot {}: {}", self.snapshot, paths.join(", "));
        let facts = Facts { snapshot: Some(self.snapshot), ..Facts::default() };
        record::done(operation, &message, &facts);
        common.print(self, || {
            let place = if self.made {
                format!("in the new snapshot {}, which boots next", self.snapshot)
            } else {
                format!("in snapshot {}, at once", self.snapshot)
            };
            let lines: String = self.paths.iter().map(|path| format!("  /{path}\n")).collect();
            format!("{heading} {place}:\n{lines}")
        })
    }
}
