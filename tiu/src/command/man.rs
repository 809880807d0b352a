//! `tiu man DIR`: manual pages, for packages.

use super::{Cli, CommandError, Outcome};
use clap::CommandFactory;
use std::path::PathBuf;
use tiu_cli::exit;

/// Writes the manual pages into a directory
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// Where to
    dir: PathBuf,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        clap_mangen::generate_to(Cli::command(), self.dir).map_err(CommandError::Output)?;
        Ok(exit::DONE)
    }
}
