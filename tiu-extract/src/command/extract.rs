//! `tiu-extract extract`: writes the tree of a bundle to a directory.

use super::bundle::BundleArguments;
use super::name::NAME;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde_json::json;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::Index;
use tiu_cli::{
    CliError, CommandResult, CommonArguments, Failure, ProgressMode, SecondSignal, TrustArguments,
    cancel_on_signals, exit,
};
use tiu_extract::{Difference, Job, Plan, ReadBack, Rules, Summary, Verity};
use tiu_system::hints;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::{Unit, Watch};
use tiu_system::text::bytes;

/// Bring a directory to exactly the tree of a bundle
///
/// Entries of DIRECTORY that are right stay as they are. Equal content is shared (reflinked) from
/// DIRECTORY and the seeds. Everything else is written. Everything is verified, and each file is
/// read back after it was written.
///
/// The command fails if DIRECTORY has entries that the image does not have. With --delete it
/// REMOVES them; with paths it leaves them alone.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu-extract extract --keyring ca.cert.pem system-2.tiu /srv/tree
  tiu-extract extract --keyring ca.cert.pem --no-owner system-2.tiu out usr/bin/tool
  tiu-extract extract --keyring ca.cert.pem --dry-run system-2.tiu /srv/tree

The command uses all cores that it may use; `taskset -c 0 tiu-extract ...` limits it to one.")]
pub struct ExtractArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Target directory; created if missing
    directory: PathBuf,
    /// Paths of the image to extract, with everything below them; nothing is removed then
    path: Vec<PathBuf>,
    /// Tree whose content can be shared; can be given more than once
    #[arg(long, value_name = "DIR")]
    seed: Vec<PathBuf>,
    /// Remove what the image does not have from DIRECTORY
    #[arg(long, conflicts_with = "path")]
    delete: bool,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not set owners, set-id bits, devices and security attributes; for extracting without root
    #[arg(long)]
    no_owner: bool,
    /// Way to verify the image while it is read
    #[arg(long, value_parser = tiu_cli::named::<Verity>(), value_name = "WAY", default_value = "auto")]
    verity: Verity,
    /// Form of the progress on standard error
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    progress: ProgressMode,
}

/// Another process extracts into the directory.
#[derive(Debug, thiserror::Error)]
#[error("another tiu-extract is writing to {}", .0.display())]
struct BusyError(PathBuf);

hints! { struct BusyError {
    _ => "wait until it has ended, or extract into another directory",
} }

/// The directory holds what the image does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} has {count} files and directories that the image does not have, the first: {}",
    directory.display(),
    first.absolute()
)]
struct ForeignError {
    directory: PathBuf,
    count: usize,
    first: TreePathBuf,
}

hints! { struct ForeignError {
    _ => "extract into an empty directory, or remove them with --delete (--dry-run lists them)",
} }

/// Refuses a plan that removes what the image does not have. What a run that was killed left under
/// temporary names does not count.
fn check_nothing_lost(plan: &Plan, index: &Index, directory: &Path) -> Result<(), ForeignError> {
    let is_foreign = |path: &TreePathBuf| {
        index.find(path).is_none() && !path.file_name().is_some_and(tiu_extract::is_temporary)
    };
    let lost = plan.lost_paths().into_iter().map(|lost| lost.path);
    let mut foreign: Vec<TreePathBuf> = lost.filter(is_foreign).collect();
    foreign.sort();
    match foreign.first().cloned() {
        Some(first) => Err(ForeignError { directory: directory.to_owned(), count: foreign.len(), first }),
        None => Ok(()),
    }
}

/// The tree differs from the index after extracting.
#[derive(Debug, thiserror::Error)]
#[error("{count} paths differ from the image after extracting, the first: /{}: {}: found {}, expected {}", first.path, first.what, first.found, first.expected)]
struct DiffersError {
    count: usize,
    first: Difference,
}

hints! { struct DiffersError {
    _ => "check that nothing else writes to the directory; otherwise its disk may be failing (dmesg)",
} }

impl ExtractArguments {
    pub fn run(self, trust: &TrustArguments, common: &CommonArguments) -> CommandResult {
        let started = Instant::now();
        let cancel = cancel_on_signals(SecondSignal::Ends)?;
        let bundle = Arc::new(self.bundle.open(trust, Some(cancel))?);
        let image = tiu_extract::open_image(bundle.clone(), self.verity)?;
        let mut index = tiu_extract::read_index(&bundle, &*image)?;
        if !self.path.is_empty() {
            index = tiu_extract::select(&index, &self.path)?;
        }
        let target = self.open_target()?;
        let rules = Rules { owner: !self.no_owner, remove: self.path.is_empty(), ..Rules::default() };
        let progress = tiu_cli::progress(self.progress);
        let watch = Watch::new(&*progress, cancel);
        let job = Job {
            index: &index,
            image: &*image,
            target: target.as_fd(),
            seeds: &self.seed,
            rules: &rules,
            watch,
        };
        let plan = watch.phase("Comparing files", 0, Unit::Bytes, || tiu_extract::plan(&job))?;
        if self.dry_run {
            let mut lines = Vec::new();
            plan.describe(&index, &mut lines).map_err(CliError::Output)?;
            let document = document(&bundle, &plan.summary(), None);
            common.print(&document, || String::from_utf8_lossy(&lines).into_owned())?;
            return Ok(exit::DONE);
        }
        if !self.delete {
            check_nothing_lost(&plan, &index, &self.directory)?;
        }
        let summary = watch.phase("Copying files", 0, Unit::Bytes, || tiu_extract::execute(&job, &plan))?;
        let read_back = ReadBack::Executed(&plan);
        let differences = watch.phase("Checking the files", 0, Unit::Bytes, || {
            tiu_extract::check(&index, target.as_fd(), &rules, read_back, watch)
        })?;
        bundle.check_unchanged()?;
        if let Some(first) = differences.first().cloned() {
            return Err(DiffersError { count: differences.len(), first }.into());
        }
        let seconds = started.elapsed().as_secs_f64();
        let document = document(&bundle, &summary, Some(seconds));
        common.print_done(NAME, &document, || text(&bundle, &summary, seconds));
        Ok(exit::DONE)
    }

    /// Opens the directory. Unless this is a dry run, creates it if missing and locks it for the
    /// life of the process.
    fn open_target(&self) -> Result<File, Failure> {
        let path = || CliError::path(&self.directory);
        if self.dry_run {
            return Ok(File::open(&self.directory).map_err(path())?);
        }
        std::fs::create_dir_all(&self.directory).map_err(path())?;
        let target = File::open(&self.directory).map_err(path())?;
        match flock(&target, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(BusyError(self.directory.clone()).into()),
            locked => {
                locked.map_err(io::Error::from).map_err(path())?;
                Ok(target)
            }
        }
    }
}

/// Returns the document of `--json`: what was done, or without `seconds` what would be done, in
/// counts and bytes.
fn document(bundle: &Bundle, summary: &Summary, seconds: Option<f64>) -> serde_json::Value {
    json!({
        "compatible": bundle.manifest.compatible,
        "image_version": bundle.manifest.version,
        "summary": summary,
        "seconds": seconds,
    })
}

fn text(bundle: &Bundle, done: &Summary, seconds: f64) -> String {
    format!(
        "{} version {}: {} entries were right, {} files shared, {} written ({} new, {} shared), \
         {} other entries made, {} changed in metadata, {} removed; in {seconds:.1} s\n",
        bundle.manifest.compatible,
        bundle.manifest.version,
        done.unchanged,
        done.reflinked,
        done.written,
        bytes(done.bytes_written),
        bytes(done.bytes_shared),
        done.made,
        done.metadata,
        done.removed,
    )
}
