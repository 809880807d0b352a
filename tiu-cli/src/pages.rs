//! Commands that write files about a program, for packages: manual pages and completions.

use crate::{CliError, CommandResult, exit, print};
use clap::Command;
use clap_complete::Shell;
use std::fs;
use std::path::PathBuf;

/// Write the manual pages into a directory
#[derive(clap::Args, Debug)]
pub struct ManArguments {
    /// Directory for the pages; created if missing
    directory: PathBuf,
}

impl ManArguments {
    /// Writes a page for `program` and one for each of its commands.
    pub fn run(self, program: Command) -> CommandResult {
        fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(program, &self.directory))
            .map_err(CliError::path(&self.directory))?;
        Ok(exit::DONE)
    }
}

/// Print completions for a shell
#[derive(clap::Args, Debug)]
pub struct CompletionsArguments {
    /// Name of the shell
    shell: Shell,
}

impl CompletionsArguments {
    /// Prints the completions of `program` on standard output.
    pub fn run(self, mut program: Command) -> CommandResult {
        let mut text = Vec::new();
        let name = program.get_name().to_owned();
        clap_complete::generate(self.shell, &mut program, name, &mut text);
        print(&String::from_utf8_lossy(&text))?;
        Ok(exit::DONE)
    }
}
