//! `tiu etc keep`: the host's version stays, and is no conflict.

use super::{Changed, Opened, Outcome, paths, print_changed};
use crate::command::cancel_on_signals;
use tiu::config::EtcTarget;
use tiu::edit;
use tiu_cli::exit;

/// Resolves conflicts in /etc: the host's versions stay
///
/// It is noted in /etc/tiu/etc-kept. When an image changes the file once more, there is a conflict again.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc keep /etc/app.conf
  tiu etc keep /etc             all conflicts")]
pub struct Arguments {
    /// Conflicts, or directories with conflicts
    #[arg(required = true)]
    paths: Vec<String>,
    /// Where it is noted: in the running system's /etc, or in a new snapshot
    #[arg(long = "in", value_parser = tiu_cli::named::<EtcTarget>(), value_name = "PLACE")]
    target: Option<EtcTarget>,
}

impl Arguments {
    pub fn run(self, opened: &Opened, json: bool) -> Outcome {
        let wanted = paths(&self.paths)?;
        let cancel = cancel_on_signals()?;
        let next = opened.next_or(None)?;
        // What cannot be done is found before a snapshot is made for it.
        edit::conflicts_in(&opened.view(&next)?, &wanted)?;
        let (kept, snapshot) = opened.change(self.target, cancel, |view| edit::keep(view, &wanted))?;
        let changed = Changed { snapshot, made: snapshot != next.number, paths: &kept };
        print_changed(&changed, json, "The host's version stays, noted")?;
        Ok(exit::DONE)
    }
}
