//! `tiu apply`: applies a bundle.

use super::global::{GlobalArguments, NAME, nothing_to_do};
use super::host::NoKeyring;
use super::record::{self, RecordFacts};
use super::table::printable;
use tiu::accounts::{AccountFile, Note, NoteKind};
use tiu::host::Persistent;
use tiu::outcome::Outcome;
use tiu::transaction::{self, Applied, Context, KnownImage, Request, UpdateFacts};
use tiu_cli::log::RECORD;
use tiu_cli::{CommandResult, NetworkArguments, ProgressMode, SecondSignal, cancel_on_signals, exit};
use tiu_extract::Verity;
use tiu_source::Location;
use tiu_system::progress::Watch;

/// Apply an image: verify the bundle, bring a new snapshot to its tree, and make it boot next
///
/// The running system is never changed, and what boots next changes only at the very end: an error,
/// Ctrl-C or a power cut leaves the host as it was. Files in /etc that the administrator changed
/// stay as they are. A second Ctrl-C does not interrupt the removal of the unfinished snapshot.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu apply --keyring ca.cert.pem system-2.tiu
  tiu apply --root /mnt system-2.tiu        update the host that is mounted at /mnt
  tiu apply --dry-run system-2.tiu          show what would be done
  tiu apply https://example.org/system-2.tiu

Ends with 77 if this image is already installed and boots next.")]
pub struct ApplyArguments {
    /// Bundle: a file, a block device, a URL (http, https, file), or - for standard input
    #[arg(value_parser = tiu_cli::location())]
    bundle: Location,
    #[command(flatten)]
    network: NetworkArguments,
    /// Check everything and print the plan, one line for each step; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Accept an image that is older than the host's
    #[arg(long)]
    allow_downgrade: bool,
    /// Continue even if the new snapshot would not accept this image by its own keyring
    #[arg(long)]
    allow_trust_change: bool,
    /// Apply the image again, although it is already installed
    #[arg(long)]
    force: bool,
    /// Compare everything, whatever is proved of the snapshot that the update starts from
    #[arg(long)]
    full: bool,
    /// Way to open the image and to verify its blocks
    #[arg(long, value_parser = tiu_cli::named::<Verity>(), value_name = "WAY")]
    verity: Option<Verity>,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
    /// The facts that become known of the bundle, for the record of a refusal
    #[arg(skip)]
    known: KnownImage,
}

impl ApplyArguments {
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    pub fn bundle(&self) -> String {
        self.bundle.to_string()
    }

    pub fn known_image(&self) -> KnownImage {
        self.known.clone()
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open()?;
        let trust = opened.trust.as_ref().ok_or(NoKeyring)?;
        let config = &opened.config;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let context = Context { next: opened.next(), config, trust, watch: Watch::new(&*progress, cancel) };
        let request = Request {
            bundle: self.bundle,
            network: self.network.network(Some(cancel))?,
            verity: self.verity.unwrap_or(config.verity),
            allow_downgrade: self.allow_downgrade,
            allow_trust_change: self.allow_trust_change,
            force: self.force,
            unattended: false,
            full: self.full,
            known: self.known.clone(),
        };
        let already = |reason| {
            let (image, signer) = (self.known.image(), self.known.signer());
            Ok(nothing_to_do("apply", &reason, &RecordFacts { image, signer, ..RecordFacts::default() }))
        };
        if self.dry_run {
            let planned = match transaction::dry_run(&context, &request)? {
                Outcome::Done(planned) => planned,
                Outcome::NothingToDo(reason) => return already(reason),
            };
            global.common.print(&planned, || planned.text())?;
            return Ok(exit::DONE);
        }
        let applied = match transaction::apply(&context, &request)? {
            Outcome::Done(applied) => applied,
            Outcome::NothingToDo(reason) => return already(reason),
        };
        record_applied("apply", &applied);
        global.common.print_done(NAME, &applied, || report_applied(&applied, opened.host.is_live()));
        Ok(exit::DONE)
    }
}

/// Records an update, which `operation` made, in the journal.
pub fn record_applied(operation: &str, applied: &Applied) {
    let Applied { snapshot, facts, took, .. } = applied;
    let UpdateFacts { base, image, signer, .. } = facts;
    for warning in &facts.warnings {
        tracing::warn!(target: RECORD, snapshot, "warning: {}", printable(warning));
    }
    for number in &applied.removed {
        record::removed(*number);
    }
    let conflicts = match facts.etc.conflicts().count() {
        0 => String::new(),
        1 => "; 1 conflict in /etc".to_owned(),
        count => format!("; {count} conflicts in /etc"),
    };
    let message = format!(
        "snapshot {snapshot} is {} version {}, made from snapshot {base}, signed by {}, and boots next{conflicts}",
        image.compatible, image.version, signer.subject
    );
    let seconds = Some(took.as_secs_f64());
    let facts = RecordFacts { snapshot: Some(*snapshot), image: Some(image), signer: Some(signer), seconds };
    record::done(operation, &message, &facts);
}

/// Number of notes about users and groups that are shown; `tiu etc report` shows all.
const SHOWN_NOTES: usize = 20;

/// Returns what became of users and groups. Those that are new, or have another number on the host,
/// are only counted.
fn accounts(notes: &[Note]) -> String {
    let mut text = String::new();
    let count = |what, file: AccountFile| {
        notes.iter().filter(|n| n.what == what && n.file == file.path().to_string()).count()
    };
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

/// Returns what an update did, for the terminal.
pub fn report_applied(applied: &Applied, live: bool) -> String {
    let UpdateFacts { base, image, signer, summary, etc, persistent, warnings, .. } = &applied.facts;
    let mut text = String::new();
    for number in &applied.removed {
        text += &format!("Removed snapshot {number}, left unfinished by an earlier run.\n");
    }
    text += &format!(
        "Snapshot {} is {} version {}, signed by {}.\n",
        applied.snapshot,
        printable(&image.compatible),
        printable(&image.version),
        printable(&signer.subject),
    );
    text += &format!(
        "  made from snapshot {} in {:.1} s: {} of its files and directories stayed, {} files written ({}), {} shared, {} removed\n",
        base,
        applied.took.as_secs_f64(),
        summary.unchanged,
        summary.written,
        tiu_system::text::bytes(summary.bytes_written),
        summary.reflinked,
        summary.removed,
    );
    let kept = etc.hosts().filter(|decided| !decided.conflict).count();
    if kept > 0 {
        text += &format!("  /etc: {kept} paths stay as the host has them (tiu etc report)\n");
    }
    let conflicts: Vec<_> = etc.conflicts().collect();
    if !conflicts.is_empty() {
        text += "  /etc: conflicts, where the host's version stays and the image has another one (tiu etc conflicts):\n";
    }
    for decided in conflicts {
        text += &format!("    /{}: {}\n", decided.path, decided.reason);
    }
    text += &accounts(&etc.accounts);
    for path in &applied.generated {
        text += &format!("  made on this host: /{path}\n");
    }
    for warning in warnings {
        text += &format!("  warning: {}\n", printable(warning));
    }
    for Persistent { path, commands, .. } in persistent.iter().filter(|path| !path.commands.is_empty()) {
        text += &format!("  to give /{} a subvolume, once this image runs:\n", path);
        text.extend(commands.iter().map(|command| format!("    {}\n", printable(command))));
    }
    text += if live {
        "It boots next: reboot to start it, or `tiu rollback` to stay.\n"
    } else {
        "It boots next.\n"
    };
    text
}
