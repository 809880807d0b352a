//! `tiu snapper-event`: the plugin of snapper. Only snapper calls it.

use super::global::GlobalArguments;
use tiu::hooks::{SnapperEvent, on_snapper_event};
use tiu_cli::{CommandResult, exit};

/// Handle an event of snapper; the plugin 60-tiu calls this
#[derive(clap::Args)]
#[command(hide = true)]
pub struct SnapperEventArguments {
    /// Event, subvolume, filesystem and numbers, as snapper-plugins(5) says
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl SnapperEventArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let event = SnapperEvent::parse(&self.arguments)?;
        if event == SnapperEvent::Other {
            return Ok(exit::DONE);
        }
        let opened = global.host.open_without_trust()?;
        for number in on_snapper_event(opened.next(), &event)? {
            tracing::info!(snapshot = number, "snapper deletes snapshot {number}: its boot entry is removed");
        }
        Ok(exit::DONE)
    }
}
