//! `tiu in-target`: the other side of [`tiu::namespace::target`]; called by tiu alone.

use super::Outcome;
use std::ffi::OsString;
use std::path::PathBuf;
use tiu::namespace::target::InTarget;

/// Runs a program in a new snapshot; called by tiu itself, in new namespaces
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// Shows the program the devices of this machine
    #[arg(long)]
    devices: bool,
    /// The snapshot's tree
    target: PathBuf,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let Arguments { devices, target, command } = self;
        Ok(InTarget { target, devices, command }.enter())
    }
}
