//! `tiu in-target`: the inner side of [`tiu::namespace::InTarget`]. Only tiu calls it.

use std::ffi::OsString;
use std::path::PathBuf;
use tiu::namespace::InTarget;
use tiu::namespace::Profile;
use tiu_cli::CommandResult;

/// Run a program in a new snapshot; tiu calls this itself, in new namespaces
#[derive(clap::Args)]
#[command(hide = true)]
pub struct InTargetArguments {
    /// Profile of the program: its rights and the part of the system that it sees
    #[arg(long = "as", value_parser = tiu_cli::named::<Profile>(), value_name = "PROFILE")]
    profile: Profile,
    /// Tree of the snapshot
    target: PathBuf,
    /// Program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl InTargetArguments {
    pub fn run(self) -> CommandResult {
        let InTargetArguments { profile, target, command } = self;
        Ok(InTarget { target, profile, command }.enter())
    }
}
