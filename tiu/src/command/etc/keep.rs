//! `tiu etc keep`: keeps the host's version and ends the conflict.

use super::shared::{Changed, paths};
use crate::command::host::OpenedHost;
use tiu::config::EtcTarget;
use tiu::edit;
use tiu_cli::{CommandResult, CommonArguments, SecondSignal, cancel_on_signals, exit};

/// Resolve conflicts in /etc: keep the host's versions
///
/// The decision is noted in /etc/tiu/etc-kept. If an image changes the file again, there is a new
/// conflict.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc keep /etc/app.conf
  tiu etc keep /etc             resolve all conflicts")]
pub struct EtcKeepArguments {
    /// Paths with conflicts, or directories that contain some
    #[arg(required = true)]
    paths: Vec<String>,
    /// Place of the note: the running system's /etc, or a new snapshot
    #[arg(long = "in", value_parser = tiu_cli::named::<EtcTarget>(), value_name = "PLACE")]
    target: Option<EtcTarget>,
}

impl EtcKeepArguments {
    pub fn run(self, opened: &OpenedHost, common: &CommonArguments) -> CommandResult {
        let wanted = paths(&self.paths)?;
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let next = opened.next_or(None)?;
        // Fails before a snapshot is made.
        edit::conflicts_in(&opened.view(&next)?, &wanted)?;
        let (kept, snapshot) = opened.change(self.target, cancel, |view| edit::keep(view, &wanted))?;
        let changed = Changed { snapshot, made: snapshot != next.number, paths: &kept, always_host: &[] };
        changed.report(common, "etc keep", "The host's version stays, noted");
        Ok(exit::DONE)
    }
}
