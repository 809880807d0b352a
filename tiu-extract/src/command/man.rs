//! `tiu-extract man`: for packagers.

use super::{CommandError, Failure};
use std::path::PathBuf;

/// Write the manual pages into a directory
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// Where to write them; made if missing
    directory: PathBuf,
}

impl Arguments {
    pub fn run(self, program: &clap::Command) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(program.clone(), &self.directory))
            .map_err(CommandError::path(&self.directory))?;
        Ok(())
    }
}
