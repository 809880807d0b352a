//! `tiu without-plugins`: the inner side of [`tiu::namespace::snapper_without_plugins`]. Only tiu calls it.

use std::ffi::OsString;
use tiu::namespace::{WITHOUT_PLUGINS, exec_without_plugins};
use tiu_cli::CommandResult;

/// Run snapper without plugins; tiu calls this itself, in a new namespace
#[derive(clap::Args)]
#[command(hide = true)]
pub struct WithoutPluginsArguments {
    /// Path of snapper and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl WithoutPluginsArguments {
    pub fn run(self) -> CommandResult {
        let error = exec_without_plugins(&self.command);
        eprintln!("tiu {WITHOUT_PLUGINS}: {error}");
        // The code of chroot(1) for a program that was not started.
        Ok(125)
    }
}
