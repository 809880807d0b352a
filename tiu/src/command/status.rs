//! `tiu status`: shows the running snapshot, the one that boots next, the snapshots for a rollback,
//! and whether they still are what was signed.

use super::global::GlobalArguments;
use super::host::OpenedHost;
use super::prometheus::Metrics;
use super::table::{columns, minute, printable};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use time::format_description::well_known::Rfc3339;
use tiu::boot::{BootError, Boots, EntryState, LoaderFacts, Selected};
use tiu::config::Config;
use tiu::edit::EditError;
use tiu::edit::View;
use tiu::host::{FailedImage, Host};
use tiu::snapshots::State;
use tiu::state::ImageState;
use tiu::status::{Signature, SnapshotFacts, failed_images, ways_back};
use tiu::update::LastRun;
use tiu::verify::{self, Depth, InitrdSettings, VerifyError, VerifyRequest};
use tiu_bundle::trust::Trust;
use tiu_cli::{CommandResult, Failure, exit};
use tiu_extract::Difference;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::Watch;

/// Show what runs, what boots next, the ways back, and the signers
///
/// Signatures, manifests and indexes are checked. What runs and what boots next are also compared
/// with what was signed, as far as possible in a moment: what btrfs recorded as changed since the
/// update, with its content. Where that is not known, names, types, sizes, modes, owners,
/// attributes and times are compared. `tiu verify` compares all content.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu status
  tiu status --json | jq .next
  tiu status --format prometheus > /var/lib/node_exporter/tiu.prom")]
pub struct StatusArguments {
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value_t, conflicts_with = "json")]
    format: Format,
}

/// A form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text for people
    #[default]
    Text,
    /// Metrics for the textfile collector of Prometheus' node_exporter
    Prometheus,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Status<'a> {
    root: &'a Path,
    live: bool,
    running: Option<u32>,
    next: Option<u32>,
    back: Vec<u32>,
    unfinished: Vec<u32>,
    differs: Vec<Differs>,
    etc_conflicts: Vec<TreePathBuf>,
    boot: BootStatus,
    failed: Vec<Failed>,
    snapshots: &'a [SnapshotFacts],
}

/// The boot loader, and what it boots.
#[derive(Serialize)]
struct BootStatus {
    #[serde(flatten)]
    facts: LoaderFacts,
    /// The boot before the next one, if something else boots once.
    once: Option<Boots>,
    /// The next boot, if it is known.
    next: Option<Boots>,
    /// The boot if the next one does not start.
    then: Option<Boots>,
    /// The attempts that the next boot has left, if it is on trial.
    attempts_left: Option<u32>,
    /// The reason why the next boot is not known.
    problem: Option<String>,
}

/// An image that did not work on this host.
#[derive(Serialize)]
struct Failed {
    root_hash: String,
    compatible: String,
    version: String,
    reason: String,
    boots: Option<u32>,
    when: String,
}

impl BootStatus {
    fn new(facts: LoaderFacts, selected: Result<Selected, BootError>, attempts_left: Option<u32>) -> Self {
        match selected {
            Ok(Selected { once, next, then }) => {
                BootStatus { facts, once, next: Some(next), then: Some(then), attempts_left, problem: None }
            }
            Err(error) => {
                let problem = Some(error.to_string());
                BootStatus { facts, once: None, next: None, then: None, attempts_left: None, problem }
            }
        }
    }

    /// Returns the lines that say which boot loader it is and what it boots.
    fn text(&self) -> String {
        let LoaderFacts { loader, why, partition, goes_back } = &self.facts;
        let place = partition.as_ref().map(|path| format!(", entries in {}", path.display()));
        let mut text = format!("Boot loader: {loader}{} ({why})\n", place.unwrap_or_default());
        if let Some(once) = &self.once {
            text += &format!("  boots {once} once, because the variable LoaderEntryOneShot says so; then:\n");
        }
        match (&self.next, &self.then) {
            (Some(next), Some(then)) if next != then => {
                let trial = self.attempts_left.map(|left| format!(" (on trial, {left} attempts left)"));
                text +=
                    &format!("  boots {next}{}; if that does not start, {then}\n", trial.unwrap_or_default());
            }
            (Some(next @ (Boots::Other { .. } | Boots::Nothing)), _) => text += &format!("  boots {next}\n"),
            _ => {}
        }
        if let Some(problem) = &self.problem {
            text += &format!("  what boots is not known: {problem}\n");
        }
        if !goes_back {
            text += "  does not go back by itself from a snapshot that does not start\n";
        }
        text.lines().map(|line| printable(line) + "\n").collect()
    }
}

/// A snapshot that differs from what was signed.
#[derive(Serialize)]
struct Differs {
    snapshot: u32,
    /// The differences, without the administrator's changes in `/etc`; content only with a seal.
    differences: Vec<Difference>,
    /// The reason why it could not be compared.
    problem: Option<String>,
}

impl StatusArguments {
    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open_without_trust()?;
        let OpenedHost { host, config, trust, .. } = &opened;
        let selected = opened.next().selected();
        let snapshots = opened.snapshots(selected.as_ref().ok())?;
        let attempts_left = attempts_left(&opened, &selected);
        let number =
            |wanted: fn(&SnapshotFacts) -> bool| snapshots.iter().find(|s| wanted(s)).map(|s| s.number);
        let status = Status {
            root: host.root(),
            live: host.is_live(),
            running: number(|s| s.running),
            next: number(|s| s.next),
            back: ways_back(&snapshots).iter().map(|s| s.number).collect(),
            unfinished: snapshots.iter().filter(|s| s.state == State::InProgress).map(|s| s.number).collect(),
            differs: differs(host, config, trust.as_ref(), &snapshots)?,
            etc_conflicts: number(|s| s.next).map_or_else(Vec::new, |next| conflicts(host, config, next)),
            boot: BootStatus::new(opened.next().facts(), selected, attempts_left),
            failed: failed(host),
            snapshots: &snapshots,
        };
        match self.format {
            Format::Text => global.common.print(&status, || human(&status))?,
            Format::Prometheus => tiu_cli::print(&metrics(&status, host).text())?,
        }
        Ok(exit::DONE)
    }
}

/// Returns the attempts that the next boot has left, if it is on trial.
fn attempts_left(opened: &OpenedHost, selected: &Result<Selected, BootError>) -> Option<u32> {
    let number = selected.as_ref().ok()?.next.number()?;
    match opened.next().entry(&opened.host.snapshot(number).ok()?).ok()? {
        EntryState::Trial(left) => Some(left),
        _ => None,
    }
}

/// Returns the images that did not work on this host, the last one first.
fn failed(host: &Host) -> Vec<Failed> {
    let mut found: Vec<_> = failed_images(host).into_iter().collect();
    found.sort_by_key(|(_, failed)| std::cmp::Reverse(failed.when));
    let shown = found.into_iter().map(|(root_hash, failed)| {
        let when = failed.when.format(&Rfc3339).unwrap_or_default();
        let FailedImage { compatible, version, reason, boots, .. } = failed;
        Failed { root_hash, compatible, version, reason, boots, when }
    });
    shown.collect()
}

fn metrics<'a>(status: &'a Status, host: &Host) -> Metrics<'a> {
    Metrics {
        running: status.snapshots.iter().find(|snapshot| snapshot.running),
        next: status.snapshots.iter().find(|snapshot| snapshot.next),
        differs: status.differs.len(),
        conflicts: status.etc_conflicts.len(),
        unfinished: status.unfinished.len(),
        last: LastRun::read(host),
    }
}

/// Returns what runs and what boots next, where they differ from what a trusted signer signed.
fn differs(
    host: &Host,
    config: &Config,
    trust: Option<&Trust>,
    snapshots: &[SnapshotFacts],
) -> Result<Vec<Differs>, Failure> {
    let mut differs = Vec::new();
    let signed = |s: &&SnapshotFacts| matches!(s.signature, Signature::AsSigned { .. });
    for facts in snapshots.iter().filter(|s| s.running || s.next).filter(signed) {
        let number = facts.number;
        let snapshot = host.snapshot(number)?;
        let verify = |depth| {
            let request = VerifyRequest {
                depth,
                claimed: &config.host_paths,
                accepted: &[],
                // An overview is not an audit: the host may say what it made.
                initrd: InitrdSettings::from_running_system(config),
            };
            verify::verify(host, trust, &snapshot, &request, Watch::silent())
        };
        let verified = match verify(Depth::SinceSeal) {
            Err(VerifyError::NotSealed { .. }) => verify(Depth::Metadata),
            verified => verified,
        };
        let (differences, problem) = match verified {
            Ok(verified) => (verified.differences, None),
            Err(e) => (Vec::new(), Some(e.to_string())),
        };
        if !differences.is_empty() || problem.is_some() {
            differs.push(Differs { snapshot: number, differences, problem });
        }
    }
    Ok(differs)
}

/// Returns a line that says what is wrong with a snapshot.
fn warning(differs: &Differs) -> String {
    let Differs { snapshot, differences, problem } = differs;
    if let Some(problem) = problem {
        return format!(
            "Snapshot {snapshot} cannot be compared with what was signed: {}\n",
            printable(problem)
        );
    }
    let paths: BTreeSet<&TreePath> = differences.iter().map(|difference| &*difference.path).collect();
    let shown: Vec<String> = paths.iter().take(3).map(|path| format!("/{path}")).collect();
    let more = if paths.len() > 3 { ", ..." } else { "" };
    format!(
        "Snapshot {snapshot} DIFFERS from what was signed: {}{more}; tiu verify {snapshot} lists all and compares \
         content, too.\n",
        shown.join(", ")
    )
}

/// Returns the unresolved conflicts in `/etc` of `next`, which boots next. Where they are not known (it
/// holds no image, or is damaged), the snapshot's own line says why.
fn conflicts(host: &Host, config: &Config, next: u32) -> Vec<TreePathBuf> {
    let read = || -> Result<Vec<TreePathBuf>, EditError> {
        let state = ImageState::open(host, next, None)?;
        let view = View::read(state, config)?;
        Ok(view.conflicts()?.into_iter().map(|decided| decided.path.clone()).collect())
    };
    read().unwrap_or_default()
}

fn human(status: &Status) -> String {
    let find = |number: Option<u32>| status.snapshots.iter().find(|s| Some(s.number) == number);
    let row = |label: &str, snapshot: &SnapshotFacts| {
        vec![
            label.to_owned(),
            snapshot.number.to_string(),
            printable(&snapshot.title()),
            minute(&snapshot.date),
            printable(&snapshot.signed()) + if snapshot.pinned { ", pinned" } else { "" },
        ]
    };
    let mut rows = Vec::new();
    let running = if status.live { "Running" } else { "Mounted" };
    match find(status.running) {
        Some(snapshot) => rows.push(row(running, snapshot)),
        None => rows.push(vec![running.into(), "-".into(), "none of the snapshots".into()]),
    }
    match find(status.next) {
        Some(next) if Some(next.number) == status.running => {
            rows.push(vec!["Next boot".into(), next.number.to_string(), "the same".into()]);
        }
        Some(next) => rows.push(row("Next boot", next)),
        None => rows.push(vec!["Next boot".into(), "-".into(), "none of the snapshots".into()]),
    }
    for (i, number) in status.back.iter().enumerate() {
        if let Some(snapshot) = find(Some(*number)) {
            rows.push(row(if i == 0 { "Back to" } else { "" }, snapshot));
        }
    }
    if status.back.is_empty() {
        rows.push(vec!["Back to".into(), "-".into(), "no other snapshot has a system".into()]);
    }
    let host =
        if status.live { "this system".to_owned() } else { format!("mounted at {}", status.root.display()) };
    let mut text = format!("Host: {}\n{}", printable(&host), columns(&rows, "  "));
    text += &status.boot.text();
    for Failed { compatible, version, reason, when, .. } in &status.failed {
        text += &format!(
            "Version {} of {} did not work here ({}): {}; apply refuses it without --force.\n",
            printable(version),
            printable(compatible),
            minute(when),
            printable(reason)
        );
    }
    text.extend(status.differs.iter().map(warning));
    for snapshot in status.snapshots.iter().filter(|s| s.next && s.image.is_some()) {
        if let Some(lacks) = &snapshot.lacks {
            text += &format!(
                "Snapshot {} boots next, but would not boot: {}\n",
                snapshot.number,
                printable(lacks)
            );
        }
    }
    for snapshot in status.snapshots.iter().filter(|s| s.running || s.next) {
        for warning in &snapshot.initrd_warnings {
            text += &format!("Snapshot {}: warning: {}\n", snapshot.number, printable(warning));
        }
    }
    if !status.etc_conflicts.is_empty() {
        let shown: Vec<String> = status.etc_conflicts.iter().take(3).map(|path| format!("/{path}")).collect();
        let more = if status.etc_conflicts.len() > 3 { ", ..." } else { "" };
        text += &format!(
            "Unresolved conflicts in /etc of what boots next: {} ({}{more}); tiu etc conflicts shows them.\n",
            status.etc_conflicts.len(),
            shown.join(", ")
        );
    }
    for number in &status.unfinished {
        text += &format!(
            "Snapshot {number} is unfinished: being made now, or left over (tiu cleanup removes it).\n"
        );
    }
    text
}
