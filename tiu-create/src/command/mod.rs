//! The command line. Each command is one file: its arguments, turned into plain options for the
//! library, and its output.

mod keygen;
mod name;
mod pack;
mod sign;
mod signer;

use clap::{CommandFactory, Parser, Subcommand};
use tiu_cli::log::Logging;
use tiu_cli::{CliProgram, CommandResult, CommonArguments, CompletionsArguments, ManArguments};

/// Pack a root tree into a signed tiu bundle
///
/// A recipe describes the image. Hosts apply the bundle with tiu(1).
#[derive(Parser)]
#[command(name = "tiu-create", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArguments,
}

const EXAMPLES: &str = "\
Examples:
  tiu-create keygen keys
  tiu-create pack --recipe bundle.yaml --cert keys/signer.cert.pem \\
      --key keys/signer.key.pem root/ example-1.tiu
  tiu-extract info --keyring keys/ca.cert.pem example-1.tiu

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::KeygenArguments),
    Pack(Box<pack::PackArguments>),
    Sign(Box<sign::SignArguments>),
    #[command(after_help = "Example:\n  tiu-create man /usr/share/man/man1")]
    Man(ManArguments),
    #[command(after_help = "Example:\n  tiu-create completions bash > tiu-create.bash")]
    Completions(CompletionsArguments),
}

impl CliProgram for Cli {
    const NAME: &'static str = name::NAME;

    fn logging(&self) -> Logging {
        Logging { verbose: self.common.verbose, journal: None }
    }

    fn run(self) -> CommandResult {
        let Cli { command, common } = self;
        match command {
            Command::Keygen(arguments) => arguments.run(&common),
            Command::Pack(arguments) => arguments.run(&common),
            Command::Sign(arguments) => arguments.run(&common),
            Command::Man(arguments) => {
                common.refuse_json("man")?;
                arguments.run(Cli::command())
            }
            Command::Completions(arguments) => {
                common.refuse_json("completions")?;
                arguments.run(Cli::command())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_made() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_follows_the_style() {
        tiu_testing::help::check(Cli::command());
    }
}
