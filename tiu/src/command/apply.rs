//! `tiu apply`: a bundle becomes what boots next.

use super::table::printable;
use super::{
    CommandError, Failure, HostArguments, Outcome, cancel_on_signals, nothing_to_do, print, print_json,
};
use serde::Serialize;
use std::path::PathBuf;
use tiu::accounts::{AccountFile, Note, NoteKind};
use tiu::host::NotInstalled;
use tiu::host::Persistent;
use tiu::outcome::Outcome as Changed;
use tiu::status::{ImageFacts, SignerFacts};
use tiu::transaction::{self, Applied, Context, Request};
use tiu_cli::{ProgressMode, exit};
use tiu_extract::{Summary, Verity};

/// Applies an image: verifies the bundle, brings a new snapshot to its tree, and makes it what boots next
///
/// The running system is not touched, and until the very end neither is what boots next: an error, Ctrl-C or a power cut leaves the host
/// as it was. Files in /etc that the administrator changed stay as they are.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu apply --keyring ca.cert.pem system-2.tiu
  tiu apply --root /mnt system-2.tiu        the host that is mounted at /mnt
  tiu apply --dry-run system-2.tiu          only shows what would be done

Ends with 77 if the host's next boot has this image already.")]
pub struct Arguments {
    /// The bundle
    bundle: PathBuf,
    #[command(flatten)]
    host: HostArguments,
    /// Checks everything and shows what would be done, one line for each step; changes nothing
    #[arg(long, conflicts_with = "json")]
    dry_run: bool,
    /// Accepts an image that is older than the one the host has
    #[arg(long)]
    allow_downgrade: bool,
    /// Applies the image that the host has already once more
    #[arg(long)]
    force: bool,
    /// How the image is opened and its blocks are verified
    #[arg(long, value_parser = tiu_cli::named::<Verity>(), value_name = "WAY")]
    verity: Option<Verity>,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
    /// How progress is shown, on standard error
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    progress: ProgressMode,
}

/// `--json`.
#[derive(Serialize)]
struct Report<'a> {
    snapshot: u32,
    base: u32,
    image: ImageFacts,
    signer: SignerFacts,
    summary: &'a Summary,
    etc_kept: Vec<&'a str>,
    etc_conflicts: Vec<&'a str>,
    accounts: &'a [Note],
    generated: &'a [String],
    removed: &'a [u32],
    persistent: &'a [Persistent],
    not_installed: &'a [NotInstalled],
    warnings: &'a [String],
    seconds: f64,
}

impl Arguments {
    pub fn run(self) -> Outcome {
        let opened = self.host.open()?;
        let trust = opened.trust.as_ref().ok_or(CommandError::NoKeyring)?;
        let config = &opened.config;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals()?;
        let context = Context { next: opened.next(), config, trust, progress: &*progress, cancel };
        let request = Request {
            bundle: self.bundle,
            verity: self.verity.unwrap_or(config.verity),
            allow_downgrade: self.allow_downgrade,
            force: self.force,
        };
        if self.dry_run {
            let mut out = std::io::stdout().lock();
            return match transaction::dry_run(&context, &request, &mut out)? {
                Changed::Done(()) => Ok(exit::DONE),
                Changed::NothingToDo(why) => nothing_to_do(&why),
            };
        }
        let applied = match transaction::apply(&context, &request)? {
            Changed::Done(applied) => applied,
            Changed::NothingToDo(why) => return nothing_to_do(&why),
        };
        match self.json {
            true => report_json(&applied)?,
            false => print(&report(&applied, opened.host.is_live()))?,
        }
        Ok(exit::DONE)
    }
}

fn report_json(applied: &Applied) -> Result<(), Failure> {
    print_json(&Report {
        snapshot: applied.snapshot,
        base: applied.base,
        image: (&applied.manifest).into(),
        signer: (&applied.signer).into(),
        summary: &applied.summary,
        etc_kept: applied.etc.hosts().map(|decided| decided.path.as_str()).collect(),
        etc_conflicts: applied.etc.conflicts().map(|decided| decided.path.as_str()).collect(),
        accounts: &applied.etc.accounts,
        generated: &applied.generated,
        removed: &applied.removed,
        persistent: &applied.persistent,
        not_installed: &applied.not_installed,
        warnings: &applied.warnings,
        seconds: applied.took.as_secs_f64(),
    })
}

/// How many notes about users and groups are shown; `tiu etc report` has all.
const SHOWN_NOTES: usize = 20;

/// What became of users and groups: those who just came, or always have another number here, are counted.
fn accounts(notes: &[Note]) -> String {
    let mut text = String::new();
    let count =
        |what, file: AccountFile| notes.iter().filter(|n| n.what == what && n.file == file.path()).count();
    let (users, groups) =
        (count(NoteKind::Added, AccountFile::Passwd), count(NoteKind::Added, AccountFile::Group));
    if users + groups > 0 {
        text += &format!(
            "  users and groups: {users} and {groups} new ones came from the image, who cannot log in (tiu etc report)\n"
        );
    }
    let (users, groups) =
        (count(NoteKind::Mapped, AccountFile::Passwd), count(NoteKind::Mapped, AccountFile::Group));
    if users + groups > 0 {
        text += &format!(
            "  users and groups: files of {users} and {groups} get the host's numbers for them, which are not the image's\n"
        );
    }
    let other: Vec<&Note> =
        notes.iter().filter(|note| !matches!(note.what, NoteKind::Added | NoteKind::Mapped)).collect();
    for note in other.iter().take(SHOWN_NOTES) {
        text += &format!("  {}\n", printable(&note.to_string()));
    }
    match other.len().saturating_sub(SHOWN_NOTES) {
        0 => text,
        more => text + &format!("  and {more} more such notes: tiu etc report\n"),
    }
}

fn report(applied: &Applied, live: bool) -> String {
    let Applied { manifest, summary, .. } = applied;
    let mut text = String::new();
    for number in &applied.removed {
        text += &format!("Removed snapshot {number}, left unfinished by an earlier run.\n");
    }
    text += &format!(
        "Snapshot {} is {} version {}, signed by {}.\n",
        applied.snapshot,
        printable(&manifest.compatible),
        printable(&manifest.version),
        printable(&applied.signer.subject),
    );
    text += &format!(
        "  made from snapshot {} in {:.1} s: {} of its files and directories stayed, {} files written ({}), {} shared, {} removed\n",
        applied.base,
        applied.took.as_secs_f64(),
        summary.unchanged,
        summary.written,
        tiu_system::text::bytes(summary.bytes_written),
        summary.reflinked,
        summary.removed,
    );
    let kept = applied.etc.hosts().filter(|decided| !decided.conflict).count();
    if kept > 0 {
        text += &format!("  /etc: {kept} paths stay as the host has them (tiu etc report)\n");
    }
    let conflicts: Vec<_> = applied.etc.conflicts().collect();
    if !conflicts.is_empty() {
        text += "  /etc: conflicts, where the host's version stays and the image has another one (tiu etc conflicts):\n";
    }
    for decided in conflicts {
        text += &format!("    /{}: {}\n", printable(&decided.path), decided.reason);
    }
    text += &accounts(&applied.etc.accounts);
    for path in &applied.generated {
        text += &format!("  made on this host: /{path}\n");
    }
    for warning in &applied.warnings {
        text += &format!("  warning: {}\n", printable(warning));
    }
    for Persistent { path, commands, .. } in
        applied.persistent.iter().filter(|path| !path.commands.is_empty())
    {
        text += &format!("  to give /{} a subvolume, once this image runs:\n", printable(path));
        text.extend(commands.iter().map(|command| format!("    {}\n", printable(command))));
    }
    text += match live {
        true => "It boots next: reboot to start it, or `tiu rollback` to stay.\n",
        false => "It boots next.\n",
    };
    text
}
