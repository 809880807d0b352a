//! `tiu update`: the update that nobody attends.

use super::apply::{record_applied, report_applied};
use super::global::{GlobalArguments, NAME, nothing_to_do};
use super::host::{NoKeyring, OpenedHost};
use super::record::{self, RecordFacts};
use super::table::{columns, printable};
use std::path::PathBuf;
use std::time::Instant;
use time::format_description::well_known::Rfc3339;
use tiu::hooks::tukit::{self, DriveRequest};
use tiu::host::{Host, now_in_seconds};
use tiu::outcome::Outcome;
use tiu::transaction::{Applied, Context, KnownImage};
use tiu::update::{
    self, CandidateFacts, Check, Choice, Chosen, LastResult, LastRun, LastUpdate, UpdateRequest,
    UpdateResult, UpdateSource, Verdict,
};
use tiu_cli::log::RECORD;
use tiu_cli::{
    CommandResult, Failure, NetworkArguments, ProgressMode, SecondSignal, cancel_on_signals, exit,
};
use tiu_extract::Verity;
use tiu_source::Location;
use tiu_system::progress::Watch;

/// Apply the newest image of a source that this host takes and does not have
///
/// The source is a bundle or a folder with bundles: the given one, or `update` in tiu.yaml. Each
/// bundle is verified. Nothing is done while a reboot into another image is pending. An image that
/// the host went back from is not applied again. The result is written to /var/lib/tiu/update.json.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu update                       what tiu-update.timer runs
  tiu update --check               show each bundle of the source and what would be done
  tiu update /run/media/stick/tiu  take another source this time

Ends with 77 if there is nothing to do.")]
pub struct UpdateArguments {
    /// Bundle (a file or a URL), or folder with bundles [default: `update` in tiu.yaml]
    #[arg(value_parser = tiu_cli::location())]
    source: Option<Location>,
    #[command(flatten)]
    network: NetworkArguments,
    /// Show what would be done; change nothing
    #[arg(long)]
    check: bool,
    /// Let transactional-update make the snapshot, the initrd and the boot loader's part
    #[arg(long, conflicts_with_all = ["check", "root", "verity"])]
    tukit: bool,
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

/// An update that was carried out.
struct Updated {
    chosen: Chosen,
    snapshot: u32,
    /// The effects, unless transactional-update made the snapshot.
    applied: Option<Applied>,
}

impl UpdateArguments {
    /// Returns the arguments of an update from `source`.
    pub fn of(source: PathBuf, check: bool, known: KnownImage) -> Self {
        let (verity, progress) = (None, ProgressMode::None);
        let (source, network) = (Some(source.into()), NetworkArguments::default());
        UpdateArguments { source, network, check, tukit: false, verity, progress, known }
    }

    pub fn is_check(&self) -> bool {
        self.check
    }

    pub fn source(&self) -> Option<String> {
        self.source.as_ref().map(Location::to_string)
    }

    pub fn known_image(&self) -> KnownImage {
        self.known.clone()
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        if self.check {
            return self.show(global);
        }
        let began = Instant::now();
        let (opened, outcome) = match global.host.open() {
            Ok(opened) => {
                let outcome = self.update(&opened, global.host.keyring());
                (Some(opened), outcome)
            }
            Err(failure) => (None, Err(failure)),
        };
        // Monitoring must see failures, too: also of a host whose configuration cannot be used.
        let root = global.host.root.as_deref();
        let other = if opened.is_none() { Host::open(root).ok() } else { None };
        let host = opened.as_ref().map(|opened| &opened.host).or(other.as_ref());
        let last = host.and_then(LastRun::read).and_then(|run| run.last_update);
        let source = self.source().or_else(|| opened.as_ref()?.config.update.clone());
        let result = self.result(&outcome, source, began, last);
        if let Some(host) = host
            && let Err(error) = result.write(host)
        {
            tiu_cli::warn(NAME, &format!("the result was not written: {error}"));
        }
        match outcome? {
            Outcome::Done(updated) => {
                match &updated.applied {
                    Some(applied) => record_applied("update", applied),
                    None => record_by_tukit(&updated, result.seconds),
                }
                global.common.print_done(NAME, &result, || match &updated.applied {
                    Some(applied) => report_applied(applied, host.is_some_and(Host::is_live)),
                    None => report_by_tukit(&updated),
                });
                Ok(exit::DONE)
            }
            Outcome::NothingToDo(reason) => {
                if global.common.json {
                    global.common.print_done(NAME, &result, String::new);
                }
                let (image, signer) = (self.known.image(), self.known.signer());
                let facts = RecordFacts { image, signer, ..RecordFacts::default() };
                Ok(nothing_to_do("update", &reason, &facts))
            }
        }
    }

    fn location(&self, opened: &OpenedHost) -> Result<UpdateSource, Failure> {
        let network = self.network.network(Some(cancel_on_signals(SecondSignal::Waits)?))?;
        Ok(match &self.source {
            Some(location) => UpdateSource::given(location, network)?,
            None => UpdateSource::configured(&opened.host, &opened.config, network)?,
        })
    }

    fn update(&self, opened: &OpenedHost, keyring: &[PathBuf]) -> Result<Outcome<Updated>, Failure> {
        let source = self.location(opened)?;
        let trust = opened.trust.as_ref().ok_or(NoKeyring)?;
        let config = &opened.config;
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let context = Context { next: opened.next(), config, trust, watch: Watch::new(&*progress, cancel) };
        let Choice { outcome, refused } = update::choose(&context, &source)?;
        for reason in refused {
            let reason = printable(&reason);
            tracing::warn!(target: RECORD, "warning: a bundle cannot be used: {reason}");
            tiu_cli::warn(NAME, &format!("a bundle cannot be used: {reason}"));
        }
        let chosen = match outcome {
            Outcome::Done(chosen) => chosen,
            Outcome::NothingToDo(why) => return Ok(Outcome::NothingToDo(why)),
        };
        if self.tukit {
            let (bundle, root_hash) = (chosen.bundle.clone(), chosen.image.root_hash.clone());
            let keyring = keyring.to_vec();
            let snapshot = tukit::drive(&context, &DriveRequest { bundle, root_hash, keyring })?;
            return Ok(Outcome::Done(Updated { chosen, snapshot, applied: None }));
        }
        let verity = self.verity.unwrap_or(config.verity);
        let request = UpdateRequest { source, verity, known: self.known.clone() };
        Ok(match update::apply_chosen(&context, &request, &chosen)? {
            Outcome::Done(applied) => {
                Outcome::Done(Updated { chosen, snapshot: applied.snapshot, applied: Some(applied) })
            }
            Outcome::NothingToDo(why) => Outcome::NothingToDo(why),
        })
    }

    /// Prints what would be done.
    fn show(&self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open()?;
        let source = self.location(&opened)?;
        let trust = opened.trust.as_ref().ok_or(NoKeyring)?;
        let cancel = cancel_on_signals(SecondSignal::Waits)?;
        let progress = tiu_cli::progress(ProgressMode::None);
        let watch = Watch::new(&*progress, cancel);
        let context = Context { next: opened.next(), config: &opened.config, trust, watch };
        let check = update::check(&context, &source)?;
        global.common.print(&check, || human(&check))?;
        Ok(if check.why.is_none() { exit::DONE } else { exit::NOTHING_TO_DO })
    }

    fn result(
        &self,
        outcome: &Result<Outcome<Updated>, Failure>,
        source: Option<String>,
        began: Instant,
        last_update: Option<LastUpdate>,
    ) -> LastResult {
        let time = now_in_seconds().format(&Rfc3339).unwrap_or_default();
        let mut result = LastResult {
            result: UpdateResult::Failed,
            code: exit::FAILED,
            time: time.clone(),
            seconds: began.elapsed().as_secs_f64(),
            source,
            message: String::new(),
            hint: None,
            bundle: None,
            image: self.known.image().cloned(),
            signer: self.known.signer().cloned(),
            snapshot: None,
            last_update,
        };
        match outcome {
            Ok(Outcome::Done(Updated { chosen, snapshot, .. })) => {
                let (snapshot, version) = (*snapshot, chosen.image.version.clone());
                result.result = UpdateResult::Updated;
                result.code = exit::DONE;
                result.message = format!("snapshot {snapshot} has version {version} and boots next");
                result.bundle = Some(chosen.bundle.to_string());
                result.image = Some(chosen.image.clone());
                result.signer = Some(chosen.signer.clone());
                result.snapshot = Some(snapshot);
                result.last_update = Some(LastUpdate { time, version, snapshot });
            }
            Ok(Outcome::NothingToDo(why)) => {
                result.result = UpdateResult::NothingToDo;
                result.code = exit::NOTHING_TO_DO;
                result.message = printable(&why.to_string());
                result.hint = Some(why.hint());
            }
            Err(Failure::Error { error, code }) => {
                if *code == exit::CANCELLED {
                    result.result = UpdateResult::Cancelled;
                }
                result.code = *code;
                result.message = printable(&error.to_string());
                result.hint = error.hint();
            }
            Err(Failure::Usage(message)) => {
                result.code = exit::USAGE;
                result.message = message.clone();
            }
        }
        result
    }
}

/// Records an update that transactional-update made.
fn record_by_tukit(updated: &Updated, seconds: f64) {
    let Updated { chosen: Chosen { image, signer, .. }, snapshot, .. } = updated;
    let message = format!(
        "snapshot {snapshot} is {} version {}, made by transactional-update, signed by {}, and boots next",
        image.compatible, image.version, signer.subject
    );
    let facts = RecordFacts {
        snapshot: Some(*snapshot),
        image: Some(image),
        signer: Some(signer),
        seconds: Some(seconds),
    };
    record::done("update", &message, &facts);
}

fn report_by_tukit(updated: &Updated) -> String {
    let Updated { chosen: Chosen { image, signer, .. }, snapshot, .. } = updated;
    format!(
        "Snapshot {snapshot} is {} version {}, signed by {}.\n  made by transactional-update\n\
         It boots next: reboot to start it, or `tiu rollback` to stay.\n",
        printable(&image.compatible),
        printable(&image.version),
        printable(&signer.subject)
    )
}

fn human(check: &Check) -> String {
    let Check { source, candidates, why, apply, warnings, .. } = check;
    let mut text = format!("Source: {}\n", printable(source));
    let rows: Vec<Vec<String>> = candidates.iter().map(row).collect();
    text += &columns(&rows, "  ");
    if candidates.is_empty() {
        text += "  no bundle (a file whose name ends in .tiu)\n";
    }
    for warning in warnings {
        text += &format!("  warning: {}\n", printable(warning));
    }
    match (apply, why) {
        (Some(name), _) => text + &format!("It would apply {}.\n", printable(name)),
        (None, Some(why)) => text + &format!("It would do nothing: {}.\n", printable(&why.to_string())),
        (None, None) => text,
    }
}

fn row(candidate: &CandidateFacts) -> Vec<String> {
    let CandidateFacts { name, verdict, reason, image, .. } = candidate;
    let image = image.as_ref().map(|image| format!("{} {}", image.compatible, image.version));
    let verdict = match verdict {
        Verdict::Newer => "newer",
        Verdict::Installed => "installed",
        Verdict::NotNewer => "not newer",
        Verdict::NotForThisHost => "not for this host",
        Verdict::Avoided => "avoided",
        Verdict::Refused => "refused",
    };
    let reason = reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    vec![
        printable(name),
        image.map_or_else(|| "-".to_owned(), |image| printable(&image)),
        format!("{verdict}{reason}"),
    ]
}
