//! `tiu etc reset`: restores the image's version.

use super::shared::{Changed, paths, stays};
use crate::command::global::NAME;
use crate::command::host::OpenedHost;
use tiu::config::EtcTarget;
use tiu::edit::{self, EtcChange, ResetPlan, ResetRequest};
use tiu_cli::{CommandResult, CommonArguments, SecondSignal, cancel_on_signals, exit};
use tiu_system::path::TreePathBuf;

/// Take the image's version of files and directories in /etc, and remove what the image does not
/// have
///
/// Content, type, mode, owner and attributes become the image's. A directory is reset without what
/// is always the host's, such as /etc/fstab, unless that is named itself. The change is made in the
/// running system's /etc if that can be written and what runs also boots next, otherwise in a new
/// snapshot that boots next. `etc: change` in tiu.yaml and --in override this.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu etc reset /etc/app.conf
  tiu etc reset --dry-run /etc            show what would be reset
  tiu etc reset --in snapshot /etc/ssh

Ends with 77 if all of it already equals the image's version.")]
pub struct EtcResetArguments {
    /// Paths to reset, like /etc/app.conf
    #[arg(required = true)]
    paths: Vec<String>,
    /// Place of the change: the running system's /etc, or a new snapshot
    #[arg(long = "in", value_parser = tiu_cli::named::<EtcTarget>(), value_name = "PLACE")]
    target: Option<EtcTarget>,
    /// Show what would be reset; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Continue even if the host would no longer accept its own image by its keyring
    #[arg(long)]
    allow_trust_change: bool,
}

/// The effect of a reset: the document of `--dry-run --json`.
#[derive(serde::Serialize)]
struct ResetDryRun<'a> {
    dry_run: bool,
    #[serde(flatten)]
    changed: Changed<'a>,
}

impl EtcResetArguments {
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    pub fn run(self, opened: &OpenedHost, common: &CommonArguments) -> CommandResult {
        let wanted = paths(&self.paths)?;
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let next = opened.next_or(None)?;
        let view = opened.view(&next)?;
        let request = ResetRequest {
            host: &opened.host,
            config: &opened.config,
            paths: &wanted,
            allow_trust_change: self.allow_trust_change,
        };
        let ResetPlan { changes, always_host, warning } = edit::plan_reset(&view, request)?;
        let differs: Vec<TreePathBuf> = changes.iter().map(|change| change.path.clone()).collect();
        let changed = |snapshot, made, paths| Changed { snapshot, made, paths, always_host: &always_host };
        if differs.is_empty() {
            common.print_done(NAME, &changed(next.number, false, &[]), || {
                format!("All of it equals the image's version.\n{}", stays(&always_host))
            });
            return Ok(exit::NOTHING_TO_DO);
        }
        if let Some(warning) = warning {
            tiu_cli::warn(NAME, &warning);
        }
        if self.dry_run {
            let target = self.target.unwrap_or(opened.config.etc_change);
            let made = edit::makes_snapshot(&opened.host, target)?;
            let planned = ResetDryRun { dry_run: true, changed: changed(next.number, made, &differs) };
            common.print(&planned, || {
                let place = if made { "in a new snapshot" } else { "in the running system" };
                format!("Would be reset {place}:\n{}{}", lines(&changes), stays(&always_host))
            })?;
            return Ok(exit::DONE);
        }
        let (_, snapshot) = opened.change(self.target, cancel, |view| edit::reset(view, request, cancel))?;
        changed(snapshot, snapshot != next.number, &differs).report(
            common,
            "etc reset",
            "The image's version again,",
        );
        Ok(exit::DONE)
    }
}

/// Returns a line for each of `changes`: what a reset does to the path.
fn lines(changes: &[EtcChange]) -> String {
    let line = |change: &EtcChange| {
        let verb = match change.change {
            'A' => "remove",
            'D' => "restore",
            _ => "change",
        };
        format!("{verb:<8} /{}\n", change.path)
    };
    changes.iter().map(line).collect()
}
