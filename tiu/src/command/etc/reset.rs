//! `tiu etc reset`: back to the image's version.

use super::shared::{Changed, paths};
use crate::command::global::NAME;
use crate::command::host::Opened;
use tiu::config::EtcTarget;
use tiu::edit;
use tiu_cli::{CommonArguments, Outcome, SecondSignal, cancel_on_signals, exit};

/// Take the image's version of files and directories in /etc, and remove what the image does not
/// have
///
/// Content, type, mode, owner and attributes become the image's. The change is made in the running
/// system's /etc if that can be written and what runs also boots next, else in a new snapshot that
/// boots next. `etc: change` in tiu.yaml and --in override this.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc reset /etc/app.conf
  tiu etc reset --in snapshot /etc/ssh

Ends with 77 if all of it already equals the image's version.")]
pub struct Arguments {
    /// Paths to reset, like /etc/app.conf
    #[arg(required = true)]
    paths: Vec<String>,
    /// Place of the change: the running system's /etc, or a new snapshot
    #[arg(long = "in", value_parser = tiu_cli::named::<EtcTarget>(), value_name = "PLACE")]
    target: Option<EtcTarget>,
}

impl Arguments {
    pub fn run(self, opened: &Opened, common: &CommonArguments) -> Outcome {
        let wanted = paths(&self.paths)?;
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let next = opened.next_or(None)?;
        let view = opened.view(&next)?;
        let differs: Vec<String> = view
            .changes()
            .into_iter()
            .map(|change| change.path)
            .filter(|path| {
                let path = tiu::etc::unescape(path);
                edit::is_reset(&path, &wanted)
            })
            .collect();
        if differs.is_empty() {
            // A path that does not exist at all is an error.
            edit::check_there(&view, &wanted)?;
            let changed = Changed { snapshot: next.number, made: false, paths: &[] };
            common.print_done(NAME, &changed, || "All of it equals the image's version.\n".into());
            return Ok(exit::NOTHING_TO_DO);
        }
        let (_, snapshot) = opened.change(self.target, cancel, |view| edit::reset(view, &wanted, cancel))?;
        let changed = Changed { snapshot, made: snapshot != next.number, paths: &differs };
        changed.report(common, "etc reset", "The image's version again,");
        Ok(exit::DONE)
    }
}
