//! `tiu etc`: `/etc` as the administrator has it, as the image has it, and the merge of both.

mod conflicts;
mod diff;
mod keep;
mod report;
mod reset;
mod shared;

use super::global::GlobalArguments;
use clap::Subcommand;
use tiu_cli::CommandResult;

/// Show what differs in /etc from the image, and resolve the conflicts of the last update
///
/// An update merges /etc: what the administrator changed stays, everything else becomes the
/// image's. Where both changed something, the administrator's version stays, and the image's
/// version is in /usr/lib/sysimage/tiu/etc. That is a conflict until the administrator resolves it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc diff                     show what differs from the image
  tiu etc diff -p /etc/ssh         show it below /etc/ssh, line by line
  tiu etc conflicts                list what both the image and the administrator changed
  tiu etc reset /etc/app.conf      take the image's version
  tiu etc keep /etc/app.conf       keep the host's version, and end the conflict
  tiu etc report                   show what the last update decided, path by path, and why")]
pub struct EtcArguments {
    #[command(subcommand)]
    command: EtcCommand,
}

#[derive(Subcommand)]
enum EtcCommand {
    Diff(diff::EtcDiffArguments),
    Conflicts(conflicts::EtcConflictsArguments),
    Report(report::EtcReportArguments),
    Reset(reset::EtcResetArguments),
    Keep(keep::EtcKeepArguments),
}

impl EtcArguments {
    /// Returns the name of what the command does, if it changes the host.
    pub fn operation(&self) -> Option<&'static str> {
        match self.command {
            EtcCommand::Reset(ref arguments) if !arguments.is_dry_run() => Some("etc reset"),
            EtcCommand::Keep(_) => Some("etc keep"),
            _ => None,
        }
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
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
