//! `tiu without-plugins`: the other side of [`tiu::namespace::snapper`]; called by tiu alone.

use super::Outcome;
use std::ffi::OsString;
use tiu::namespace::snapper as without_plugins;

/// Runs snapper without plugins; called by tiu itself, in a new namespace
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// snapper and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let error = without_plugins::enter(&self.command);
        eprintln!("tiu {}: {error}", without_plugins::SUBCOMMAND);
        // As chroot(1): not even started.
        Ok(125)
    }
}
