//! `tiu-create man`: for packagers.

use super::Failure;
use std::io;
use std::path::PathBuf;
use tiu_system::Hint;

/// Write the manual pages into a directory
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// Where to write them; made if missing
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct ManError {
    path: PathBuf,
    source: io::Error,
}

impl Hint for ManError {
    fn hint(&self) -> Option<String> {
        Some("check that the directory can be written to".into())
    }
}

/// Writes a page for the program and each of its commands.
pub fn run(arguments: Arguments, program: &clap::Command) -> Result<(), Failure> {
    let path = arguments.directory;
    std::fs::create_dir_all(&path)
        .and_then(|()| clap_mangen::generate_to(program.clone(), &path))
        .map_err(|source| Failure::new(ManError { path, source }))
}
