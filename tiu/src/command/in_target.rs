//! `tiu in-target`: the inner side of [`tiu::namespace::target`]. Only tiu calls it.

use std::ffi::OsString;
use std::path::PathBuf;
use tiu::namespace::target::InTarget;
use tiu_cli::Outcome;

/// Run a program in a new snapshot; tiu calls this itself, in new namespaces
#[derive(clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// Show the devices of this machine to the program
    #[arg(long)]
    devices: bool,
    /// Tree of the snapshot
    target: PathBuf,
    /// Program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let Arguments { devices, target, command } = self;
        Ok(InTarget { target, devices, command }.enter())
    }
}
