//! The command line. Each command is one file: its arguments, turned into plain options for the
//! library, and its output.

mod apply;
mod cleanup;
mod diff;
mod etc;
mod global;
mod host;
mod in_target;
mod list;
mod mark;
mod media;
mod name;
mod pin;
mod prometheus;
mod record;
mod rollback;
mod snapper_event;
mod status;
mod table;
mod tukit_event;
mod update;
mod verify;
mod without_plugins;

use clap::{CommandFactory, Parser, Subcommand};
use global::GlobalArguments;
use name::NAME;
use record::RecordFacts;
use tiu::transaction::KnownImage;
use tiu_cli::log::Logging;
use tiu_cli::{CliProgram, CommandResult, CompletionsArguments, ManArguments};

/// Update a host by whole, signed images; each becomes a btrfs snapshot
///
/// The running system is never written. An image is verified, brought into a new snapshot, and made
/// what boots next. Older snapshots stay as a way back.
#[derive(Parser)]
#[command(name = "tiu", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: GlobalArguments,
}

const EXAMPLES: &str = "\
Examples:
  tiu apply system-2.tiu     make version 2 boot next
  tiu status                 show what runs, what boots next, and the ways back
  tiu rollback               go back to what ran before
  tiu verify                 compare what runs with what was signed

Exit codes: 0 done, 1 failed, 2 wrong usage, 77 nothing to do, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Apply(apply::ApplyArguments),
    Update(update::UpdateArguments),
    Media(media::MediaArguments),
    Status(status::StatusArguments),
    List(list::ListArguments),
    Rollback(rollback::RollbackArguments),
    Diff(diff::DiffArguments),
    Etc(etc::EtcArguments),
    Verify(verify::VerifyArguments),
    Pin(pin::PinArguments),
    MarkGood(mark::MarkGoodArguments),
    MarkBad(mark::MarkBadArguments),
    Cleanup(cleanup::CleanupArguments),
    #[command(after_help = "Example:\n  tiu man /usr/share/man/man1")]
    Man(ManArguments),
    #[command(after_help = "Example:\n  tiu completions bash > /usr/share/bash-completion/completions/tiu")]
    Completions(CompletionsArguments),
    InTarget(in_target::InTargetArguments),
    SnapperEvent(snapper_event::SnapperEventArguments),
    TukitEvent(tukit_event::TukitEventArguments),
    WithoutPlugins(without_plugins::WithoutPluginsArguments),
}

impl CliProgram for Cli {
    const NAME: &'static str = NAME;

    fn logging(&self) -> Logging {
        let journal = self.command.operation().map(|_| Self::NAME);
        Logging { verbose: self.global.common.verbose, journal }
    }

    fn run(self) -> CommandResult {
        let Cli { command, global } = self;
        let (operation, bundle, known) = (command.operation(), command.bundle(), command.known_image());
        let snapshot = command.snapshot();
        let outcome = command.run(&global);
        if let (Some(operation), Err(failure)) = (operation, &outcome) {
            let facts = RecordFacts { snapshot, image: known.image(), signer: known.signer(), seconds: None };
            record::failed(operation, bundle.as_deref(), &facts, failure);
        }
        outcome
    }
}

impl Command {
    /// Returns the name of what the command does, if it is recorded in the journal: what changes
    /// the host, and verifications.
    fn operation(&self) -> Option<&'static str> {
        match self {
            Command::Apply(arguments) if !arguments.is_dry_run() => Some("apply"),
            Command::Update(arguments) if !arguments.is_check() => Some("update"),
            Command::Media(_) => Some("media"),
            Command::SnapperEvent(_) => Some("snapper-event"),
            Command::TukitEvent(_) => Some("tukit-event"),
            Command::Rollback(_) => Some("rollback"),
            Command::Etc(arguments) => arguments.operation(),
            Command::Verify(_) => Some("verify"),
            Command::Pin(arguments) => Some(arguments.operation()),
            Command::MarkGood(_) => Some("mark-good"),
            Command::MarkBad(_) => Some("mark-bad"),
            Command::Cleanup(_) => Some("cleanup"),
            _ => None,
        }
    }

    /// Returns the bundle that the command was given.
    fn bundle(&self) -> Option<String> {
        match self {
            Command::Apply(arguments) => Some(arguments.bundle()),
            Command::Update(arguments) => arguments.source(),
            Command::Media(arguments) => Some(arguments.device()),
            _ => None,
        }
    }

    /// Returns what becomes known of that bundle.
    fn known_image(&self) -> KnownImage {
        match self {
            Command::Apply(arguments) => arguments.known_image(),
            Command::Update(arguments) => arguments.known_image(),
            Command::Media(arguments) => arguments.known_image(),
            _ => KnownImage::default(),
        }
    }

    /// Returns the snapshot that the command was given.
    fn snapshot(&self) -> Option<u32> {
        match self {
            Command::Rollback(arguments) => arguments.number(),
            Command::Pin(arguments) => Some(arguments.number()),
            Command::MarkGood(arguments) => arguments.number(),
            Command::MarkBad(arguments) => arguments.number(),
            _ => None,
        }
    }

    fn run(self, global: &GlobalArguments) -> CommandResult {
        match self {
            Command::Apply(arguments) => arguments.run(global),
            Command::Update(arguments) => arguments.run(global),
            Command::Media(arguments) => arguments.run(global),
            Command::Status(arguments) => arguments.run(global),
            Command::List(arguments) => arguments.run(global),
            Command::Rollback(arguments) => arguments.run(global),
            Command::Diff(arguments) => arguments.run(global),
            Command::Etc(arguments) => arguments.run(global),
            Command::Verify(arguments) => arguments.run(global),
            Command::Pin(arguments) => arguments.run(global),
            Command::MarkGood(arguments) => arguments.run(global),
            Command::MarkBad(arguments) => arguments.run(global),
            Command::Cleanup(arguments) => arguments.run(global),
            Command::Man(arguments) => {
                global.refuse("man")?;
                arguments.run(Cli::command())
            }
            Command::Completions(arguments) => {
                global.refuse("completions")?;
                arguments.run(Cli::command())
            }
            Command::InTarget(arguments) => arguments.run(),
            Command::SnapperEvent(arguments) => arguments.run(global),
            Command::TukitEvent(arguments) => arguments.run(global),
            Command::WithoutPlugins(arguments) => arguments.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_follows_the_style() {
        tiu_testing::help::check(Cli::command());
    }
}
