//! The transaction: from a bundle to a snapshot that boots next. Each stage is a function; this is their order, and what a crash in
//! each leaves behind.
//!
//! | stage | does | a crash leaves |
//! |---|---|---|
//! | preflight | lock; signature, identity, space, `/etc`, accounts, host; removes leftovers | nothing new |
//! | open | snapper makes a read-write snapshot of the base, marked `tiu-state=in-progress` | a marked snapshot |
//! | fill | the engine brings it to the image's tree, reads back each file that it makes, and `/etc` and accounts to what was decided; signed manifest, index, the image's `/etc` and the report go beside | a marked snapshot |
//! | finish | the initrd is made, chrooted into it; what was made is recorded | a marked snapshot |
//! | check | every inode is compared with the index again, all content too where a program of the image ran | a marked snapshot |
//! | commit | read-only, `tiu-state=checked`, syncfs; then the default is set: the one moment that counts; then `tiu-state=done` | before: a complete snapshot that counts as unfinished; after: the new default, which counts as done |
//!
//! A marked snapshot is never booted by itself, and the next run or `tiu cleanup` removes it. An error or a cancellation removes it at
//! once; if that fails too, both errors are told, the first one first.

mod check;
mod commit;
mod error;
mod fill;
mod finish;
mod preflight;

pub use commit::make_default;
pub use error::ApplyError;

use crate::config::Config;
use crate::etc::report::Report;
use crate::host::Host;
use crate::host::paths::NotInstalled;
use crate::host::persistent::Persistent;
use crate::incoming::identity::Mismatch;
use crate::snapshots::leftovers;
use crate::snapshots::{Snapshot, State};
use preflight::Ready;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;
use tiu_bundle::trust::Trust;
use tiu_extract::{Plan, Summary, Verity};
use tiu_system::progress::{Cancel, Progress};

/// Everything that the stages share.
pub struct Context<'a> {
    /// The host.
    pub host: &'a Host,
    /// Its configuration.
    pub config: &'a Config,
    /// Whom to trust.
    pub trust: &'a Trust,
    /// Shown to the user.
    pub progress: &'a dyn Progress,
    /// Stops the run.
    pub cancel: &'a Cancel,
}

/// What to apply, and what is allowed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The bundle.
    pub bundle: PathBuf,
    /// How its image is opened.
    pub verity: Verity,
    /// Whether an older image than the base's is accepted.
    pub allow_downgrade: bool,
    /// Whether the image that the base has already is applied once more.
    pub force: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Applied {
    /// The new snapshot, which boots next.
    pub snapshot: u32,
    /// What it was made from.
    pub base: u32,
    /// The image.
    pub manifest: Manifest,
    /// Who signed it.
    pub signer: Signer,
    /// What the engine did.
    pub summary: Summary,
    /// What became of `/etc`.
    pub etc: Report,
    /// Paths that were made on the host.
    pub generated: Vec<String>,
    /// Unfinished snapshots of earlier runs that were removed.
    pub removed: Vec<u32>,
    /// Directories beside `/var` whose content is the host's.
    pub persistent: Vec<Persistent>,
    /// What of the image is not installed, because it lies where the host's paths are.
    pub not_installed: Vec<NotInstalled>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Checks everything that can be checked without a change, and prints the plan: one line for each step. Leftovers stay.
pub fn dry_run(context: &Context, request: &Request, out: &mut dyn std::io::Write) -> Result<(), ApplyError> {
    let ready = preflight::prepare(context, request)?;
    let plan = preflight::plan(context, &ready)?;
    ready.describe(out).map_err(ApplyError::Output)?;
    ready.etc.report.describe(out).map_err(ApplyError::Output)?;
    plan.describe(&ready.index, out).map_err(ApplyError::Output)
}

/// Applies a bundle: afterwards the host's next boot is the image, or nothing has changed.
pub fn apply(context: &Context, request: &Request) -> Result<Applied, ApplyError> {
    let began = Instant::now();
    let ready = match preflight::prepare(context, request) {
        Err(ApplyError::Mismatch(nothing_to_do @ Mismatch::Same { .. })) => {
            // Perhaps because a run was cut off right after the switch.
            let _lock = context.host.lock()?;
            clean_up(context.host)?;
            return Err(nothing_to_do.into());
        }
        ready => ready?,
    };
    let removed = clean_up(context.host)?;
    let plan = preflight::plan(context, &ready)?;
    go_on(context)?;
    let target = open(context, &ready)?;
    match stages(context, &ready, plan, &target) {
        Ok(Stages { summary, etc, generated }) => Ok(Applied {
            snapshot: target.number,
            base: ready.base.number,
            summary,
            etc,
            generated,
            removed,
            persistent: ready.persistent.paths,
            not_installed: ready.not_installed,
            warnings: ready.warnings,
            took: began.elapsed(),
            manifest: ready.bundle.manifest.clone(),
            signer: ready.bundle.signer.clone(),
        }),
        Err(error) => Err(undo(context.host, &ready.base, &target, error)),
    }
}

/// What the stages give.
struct Stages {
    summary: Summary,
    etc: Report,
    generated: Vec<String>,
}

/// Everything between the new snapshot and the new default.
fn stages(context: &Context, ready: &Ready, plan: Plan, target: &Snapshot) -> Result<Stages, ApplyError> {
    let filled = fill::run(context, ready, plan, target)?;
    go_on(context)?;
    let record = finish::run(context, ready, &filled)?;
    go_on(context)?;
    check::run(context, ready, &filled, &record)?;
    go_on(context)?;
    commit::run(context, ready, target)?;
    let generated = record.files.into_iter().map(|file| file.path).collect();
    Ok(Stages { summary: filled.summary, etc: filled.etc.report, generated })
}

/// Stops between stages.
fn go_on(context: &Context) -> Result<(), ApplyError> {
    match context.cancel.is_cancelled() {
        true => Err(ApplyError::Cancelled),
        false => Ok(()),
    }
}

fn open(context: &Context, ready: &Ready) -> Result<Snapshot, ApplyError> {
    let Manifest { compatible, version, .. } = &ready.bundle.manifest;
    let description = format!("tiu: {compatible} {version}");
    Ok(context.host.create_snapshot(&ready.base, &description, version)?)
}

/// Removes the unfinished target. Nobody else works on it: the lock is ours.
fn undo(host: &Host, base: &Snapshot, target: &Snapshot, error: ApplyError) -> ApplyError {
    let undone = (|| {
        if host.snapshot(target.number)?.default {
            host.set_default(base.number)?;
        }
        host.delete_snapshot(target.number)
    })();
    match undone {
        Ok(()) => error,
        Err(cleanup) => {
            ApplyError::CleanUp { error: Box::new(error), number: target.number, cleanup: Box::new(cleanup) }
        }
    }
}

/// Removes what earlier runs left unfinished; the caller holds the lock, so their owners are gone. What runs or boots next
/// stays, and is marked as done where a run was cut off right after its commit point.
pub fn clean_up(host: &Host) -> Result<Vec<u32>, crate::snapshots::SnapshotError> {
    let mut removed = leftovers::clean_up(host)?;
    for snapshot in host.snapshots()? {
        if snapshot.is_committed() {
            leftovers::remove_half_entries(host, snapshot.number)?;
            host.set_done(&snapshot)?;
        } else if snapshot.state() == State::InProgress
            && !snapshot.active
            && !snapshot.default
            && !snapshot.is_pinned()
        {
            leftovers::remove_half_entries(host, snapshot.number)?;
            host.delete_snapshot(snapshot.number)?;
            removed.push(snapshot.number);
        }
    }
    Ok(removed)
}
