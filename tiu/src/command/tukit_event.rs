//! `tiu tukit-event`: the plugin of tukit. Only tukit calls it.

use super::global::GlobalArguments;
use super::host::{HostArguments, NoKeyring};
use tiu::hooks::tukit::{Pending, TukitEvent, on_tukit_event};
use tiu::transaction::Context;
use tiu_cli::{CommandResult, SecondSignal, cancel_on_signals, exit};
use tiu_system::progress::{Silent, Watch};

/// Handle a stage of tukit; the plugin of tukit calls this
#[derive(clap::Args)]
#[command(hide = true)]
pub struct TukitEventArguments {
    /// Stage and its arguments, as tukit's doc/tukit-plugins.md says
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl TukitEventArguments {
    pub fn run(self, _global: &GlobalArguments) -> CommandResult {
        let event = TukitEvent::parse(&self.arguments)?;
        if event == TukitEvent::Other {
            return Ok(exit::DONE);
        }
        let Some(pending) = Pending::read()? else { return Ok(exit::DONE) };
        let opened = HostArguments::with_keyring(pending.keyring).open()?;
        let trust = opened.trust.as_ref().ok_or(NoKeyring)?;
        let watch = Watch::new(&Silent, cancel_on_signals(SecondSignal::Waits)?);
        let context = Context { next: opened.next(), config: &opened.config, trust, watch };
        if let Some(done) = on_tukit_event(&context, &event)? {
            tiu_cli::print(&format!("{done}\n"))?;
        }
        Ok(exit::DONE)
    }
}
