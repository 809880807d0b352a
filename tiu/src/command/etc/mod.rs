//! `tiu etc`: what the administrator has in `/etc`, what the image has, and what the merge made of both.

mod conflicts;
mod diff;
mod keep;
mod report;
mod reset;

use super::{Failure, HostArguments, Opened, Outcome, print_json};
use clap::Subcommand;
use tiu::config::EtcTarget;
use tiu::edit::EditError;
use tiu::edit::View;
use tiu::edit::change;
use tiu::edit::path_in_etc;
use tiu::etc::ETC;
use tiu::snapshots::{Snapshot, SnapshotError};
use tiu::state::ImageState;
use tiu_system::progress::Cancel;

/// Shows what differs in /etc from the image, and the conflicts of the last update; takes files back to the image's version
///
/// An update merges /etc: what the administrator changed stays, everything else becomes the image's. Where both changed something, the
/// administrator's version stays, the image's lies beside in /usr/lib/sysimage/tiu/etc, and that is a conflict until somebody resolves it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc diff                     what is not as the image has it
  tiu etc diff -p /etc/ssh         the same below /etc/ssh, line by line
  tiu etc conflicts                what both the image and the administrator changed
  tiu etc reset /etc/app.conf      takes the image's version
  tiu etc keep /etc/app.conf       keeps the host's version: no conflict any more
  tiu etc report                   what the last update decided, path by path, and why")]
pub struct Arguments {
    #[command(flatten)]
    host: HostArguments,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Diff(diff::Arguments),
    Conflicts(conflicts::Arguments),
    Report(report::Arguments),
    Reset(reset::Arguments),
    Keep(keep::Arguments),
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let opened = self.host.open()?;
        match self.what {
            What::Diff(arguments) => arguments.run(&opened, self.json),
            What::Conflicts(arguments) => arguments.run(&opened, self.json),
            What::Report(arguments) => arguments.run(&opened, self.json),
            What::Reset(arguments) => arguments.run(&opened, self.json),
            What::Keep(arguments) => arguments.run(&opened, self.json),
        }
    }
}

impl Opened {
    /// Returns the snapshot of that number; without one, what boots next.
    fn next_or(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match number {
            Some(number) => self.host.snapshot(number),
            None => self.host.default_snapshot(),
        }
    }

    /// The snapshot of that number; without one, what runs (or is mounted).
    fn running(&self, number: Option<u32>) -> Result<Snapshot, SnapshotError> {
        match self.host.snapshots()?.into_iter().find(|s| number.is_none() && s.active) {
            Some(active) => Ok(active),
            None => self.next_or(number),
        }
    }

    fn view(&self, snapshot: &Snapshot) -> Result<View, EditError> {
        View::read(ImageState::open(&self.host, snapshot.number, None)?, &self.config)
    }

    /// Lets `edit` change `/etc`, where the command line or the configuration says.
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

/// Paths as they were given, or all of `/etc`.
fn paths(given: &[String]) -> Result<Vec<Vec<u8>>, EditError> {
    match given {
        [] => Ok(vec![ETC.to_vec()]),
        given => given.iter().map(|path| path_in_etc(path)).collect(),
    }
}

/// What was changed, and where.
#[derive(serde::Serialize)]
struct Changed<'a> {
    /// Number of the snapshot that was changed or made.
    snapshot: u32,
    /// Whether it was made for this.
    made: bool,
    /// What was changed.
    paths: &'a [String],
}

/// Where a change is, as a sentence.
fn place(changed: &Changed) -> String {
    match changed.made {
        true => format!("in the new snapshot {}, which boots next", changed.snapshot),
        false => format!("in snapshot {}, at once", changed.snapshot),
    }
}

fn print_changed(changed: &Changed, json: bool, what: &str) -> Result<(), Failure> {
    if json {
        return print_json(changed);
    }
    let lines: String = changed.paths.iter().map(|path| format!("  /{path}\n")).collect();
    super::print(&format!("{what} {}:\n{lines}", place(changed)))
}
