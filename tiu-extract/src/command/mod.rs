//! The command line. Each command is one file: its arguments, turned into plain options for the
//! library, and its output.

mod bundle;
mod extract;
mod info;
mod list;
mod mount;
mod name;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use tiu_cli::log::Logging;
use tiu_cli::{
    CliProgram, CommandResult, CommonArguments, CompletionsArguments, ManArguments, TrustArguments,
};

/// Verify, show and extract tiu bundles
///
/// A bundle is a signed image of a system. Nothing is read from it before its signature is
/// verified.
#[derive(Parser)]
#[command(name = "tiu-extract", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    trust: TrustArguments,
    #[command(flatten)]
    common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples:
  tiu-extract info --keyring ca.cert.pem system-1.tiu
  tiu-extract verify --keyring ca.cert.pem system-1.tiu
  tiu-extract extract --keyring ca.cert.pem system-1.tiu /srv/tree

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Info(info::InfoArguments),
    Verify(verify::VerifyArguments),
    List(list::ListArguments),
    Extract(extract::ExtractArguments),
    Mount(mount::MountArguments),
    Umount(mount::UmountArguments),
    #[command(after_help = "Example:\n  tiu-extract man /usr/share/man/man1")]
    Man(ManArguments),
    #[command(after_help = "Example:\n  tiu-extract completions bash > tiu-extract.bash")]
    Completions(CompletionsArguments),
}

impl CliProgram for Cli {
    const NAME: &'static str = name::NAME;

    fn logging(&self) -> Logging {
        Logging { verbose: self.common.verbose, journal: None }
    }

    fn run(self) -> CommandResult {
        let Cli { command, trust, common } = self;
        let refuse_all = |name| common.refuse_json(name).and_then(|()| trust.refuse(name));
        match command {
            Command::Info(arguments) => arguments.run(&trust, &common),
            Command::Verify(arguments) => arguments.run(&trust, &common),
            Command::List(arguments) => arguments.run(&trust, &common),
            Command::Extract(arguments) => arguments.run(&trust, &common),
            Command::Mount(arguments) => {
                common.refuse_json("mount")?;
                arguments.run(&trust)
            }
            Command::Umount(arguments) => refuse_all("umount").and_then(|()| arguments.run()),
            Command::Man(arguments) => refuse_all("man").and_then(|()| arguments.run(Cli::command())),
            Command::Completions(arguments) => {
                refuse_all("completions").and_then(|()| arguments.run(Cli::command()))
            }
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
