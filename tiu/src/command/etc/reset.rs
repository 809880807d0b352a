//! `tiu etc reset`: back to the image's version.

use super::{Changed, Opened, Outcome, paths, print_changed};
use crate::command::{cancel_on_signals, print, print_json};
use tiu::config::EtcTarget;
use tiu::edit;
use tiu_cli::exit;

/// Takes the image's version of files and directories in /etc, with all that is in them; what the image does not have is removed
///
/// Content, type, mode, owner and attributes become the image's. In the running system's /etc where that can be written and what runs
/// boots next, else in a new snapshot that boots next; `etc: change` in tiu.yaml or --in decides otherwise.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc reset /etc/app.conf
  tiu etc reset --in snapshot /etc/ssh

Ends with 77 if all of it is as the image has it.")]
pub struct Arguments {
    /// What to reset, like /etc/app.conf
    #[arg(required = true)]
    paths: Vec<String>,
    /// Where
    #[arg(long = "in", value_parser = tiu_cli::named::<EtcTarget>(), value_name = "PLACE")]
    target: Option<EtcTarget>,
}

impl Arguments {
    pub fn run(self, opened: &Opened, json: bool) -> Outcome {
        let wanted = paths(&self.paths)?;
        let cancel = cancel_on_signals()?;
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
            // What is not there at all is an error, of which the library knows.
            edit::check_there(&view, &wanted)?;
            let changed = Changed { snapshot: next.number, made: false, paths: &[] };
            match json {
                true => print_json(&changed)?,
                false => print("All of it is as the image has it.\n")?,
            }
            return Ok(exit::NOTHING_TO_DO);
        }
        let (_, snapshot) = opened.change(self.target, cancel, |view| edit::reset(view, &wanted, cancel))?;
        let changed = Changed { snapshot, made: snapshot != next.number, paths: &differs };
        print_changed(&changed, json, "The image's version again,")?;
        Ok(exit::DONE)
    }
}
