//! `tiu-extract extract`: a bundle's tree into a directory.

use super::{BundleArguments, CommandError, Failure, print, print_json};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde_json::json;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Instant;
use tiu_bundle::bundle::Bundle;
use tiu_cli::ProgressMode;
use tiu_cli::signals::cancel_on_signals;
use tiu_extract::{Difference, EngineError, Job, ReadBack, Rules, Summary, Verity};
use tiu_system::Hint;
use tiu_system::progress::Watch;

/// Brings a directory to exactly the tree of a bundle
///
/// What is in DIR and is right stays as it is; equal content is shared (reflinked) from DIR and the seeds; the rest is written; what the image
/// lacks is REMOVED from DIR, unless paths are given. Everything is verified, and what was written is read back.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu-extract extract --keyring ca.cert.pem system-2.tiu /srv/tree
  tiu-extract extract --keyring ca.cert.pem --no-owner system-2.tiu out usr/bin/tool
  tiu-extract extract --keyring ca.cert.pem --dry-run system-2.tiu /srv/tree

All cores that the process may use are used: `taskset -c 0 tiu-extract ...` leaves it one.")]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Target directory; made if missing
    directory: PathBuf,
    /// Only these paths of the image, with what is below; nothing is removed then
    path: Vec<PathBuf>,
    /// A tree whose content may be shared; may be given more than once
    #[arg(long, value_name = "DIR")]
    seed: Vec<PathBuf>,
    /// Prints what would be done, does nothing
    #[arg(long)]
    dry_run: bool,
    /// Leaves owners, set-id bits, devices' and security attributes aside; for extracting without root
    #[arg(long)]
    no_owner: bool,
    /// How the image is verified while it is read
    #[arg(long, value_parser = tiu_cli::named::<Verity>(), value_name = "HOW", default_value = "auto")]
    verity: Verity,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// How progress is shown, on standard error
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    progress: ProgressMode,
}

/// The tree did not become what the index says.
#[derive(Debug, thiserror::Error)]
#[error("{count} paths differ from the image after extracting, the first: /{}: {}: found {}, expected {}", first.path, first.what, first.found, first.expected)]
struct DiffersError {
    count: usize,
    first: Difference,
}

impl Hint for DiffersError {
    fn hint(&self) -> Option<String> {
        Some("is something else writing to the directory? else its disk may be failing".into())
    }
}

impl Arguments {
    pub fn run(self) -> Result<(), Failure> {
        let started = Instant::now();
        let bundle = self.bundle.open()?;
        let image = tiu_extract::open_image(bundle.clone(), self.verity)?;
        let mut index = tiu_extract::read_index(&bundle, &*image)?;
        if !self.path.is_empty() {
            index = tiu_extract::select(&index, &self.path)?;
        }
        if !self.dry_run {
            std::fs::create_dir_all(&self.directory).map_err(CommandError::path(&self.directory))?;
        }
        let target = std::fs::File::open(&self.directory).map_err(CommandError::path(&self.directory))?;
        if !self.dry_run {
            // Until we end, however that is.
            match flock(&target, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(CommandError::Busy(self.directory).into()),
                locked => locked.map_err(io::Error::from).map_err(CommandError::path(&self.directory))?,
            }
        }
        let rules = Rules { owner: !self.no_owner, remove: self.path.is_empty(), ..Rules::default() };
        let progress = tiu_cli::progress(self.progress);
        let cancel = cancel_on_signals().map_err(CommandError::Signals)?;
        let watch = Watch::new(&*progress, cancel);
        let job = Job {
            index: &index,
            image: &*image,
            target: target.as_fd(),
            seeds: &self.seed,
            rules: &rules,
            watch,
        };
        let failed = |e: EngineError| {
            let cancelled = matches!(e, EngineError::Cancelled(_));
            Failure::from(e).cancelled_if(cancelled)
        };
        let plan = tiu_extract::plan(&job).map_err(failed)?;
        if self.dry_run {
            let mut lines = Vec::new();
            plan.describe(&index, &mut lines).map_err(CommandError::Output)?;
            return match self.json {
                true => Ok(print_json(&report(&bundle, &plan.summary(), None))?),
                false => Ok(print(&String::from_utf8_lossy(&lines))?),
            };
        }
        let summary = tiu_extract::execute(&job, &plan).map_err(failed)?;
        let read_back = ReadBack::Executed(&plan);
        let differences =
            tiu_extract::check(&index, target.as_fd(), &rules, read_back, watch).map_err(failed)?;
        bundle.check_unchanged()?;
        if let Some(first) = differences.first().cloned() {
            return Err(DiffersError { count: differences.len(), first }.into());
        }
        let seconds = started.elapsed().as_secs_f64();
        match self.json {
            true => print_json(&report(&bundle, &summary, Some(seconds)))?,
            false => print(&text(&bundle, &summary, seconds))?,
        }
        Ok(())
    }
}

/// `version` 1: what was done (or would be, without `seconds`), counts and bytes.
fn report(bundle: &Bundle, summary: &Summary, seconds: Option<f64>) -> serde_json::Value {
    json!({
        "version": 1,
        "compatible": bundle.manifest.compatible,
        "image_version": bundle.manifest.version,
        "summary": summary,
        "seconds": seconds,
    })
}

fn text(bundle: &Bundle, done: &Summary, seconds: f64) -> String {
    format!(
        "{} version {}: {} entries were right, {} files shared, {} written ({} new, {} shared), {} other entries made, {} changed in metadata, {} removed; in {seconds:.1} s\n",
        bundle.manifest.compatible,
        bundle.manifest.version,
        done.unchanged,
        done.reflinked,
        done.written,
        tiu_system::text::bytes(done.bytes_written),
        tiu_system::text::bytes(done.bytes_shared),
        done.made,
        done.metadata,
        done.removed,
    )
}
