//! The stages in their order.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::preflight::{self, Preflight, Ready};
use super::{check, fill, finish, space};
use crate::draft::{Draft, ImageName, clean_up};
use crate::etc::report::EtcReport;
use crate::host::paths::NotInstalled;
use crate::host::persistent::Persistent;
use crate::outcome::Outcome;
use std::io::Write;
use std::time::{Duration, Instant};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;
use tiu_extract::{Plan, Summary};

/// What was done.
#[derive(Debug)]
pub struct Applied {
    /// The new snapshot, which boots next.
    pub snapshot: u32,
    /// The snapshot that it was made from.
    pub base: u32,
    /// The image.
    pub manifest: Manifest,
    /// The image's signer.
    pub signer: Signer,
    /// What the engine did.
    pub summary: Summary,
    /// What became of `/etc`.
    pub etc: EtcReport,
    /// Paths that were made on the host.
    pub generated: Vec<String>,
    /// Unfinished snapshots of earlier runs that were removed.
    pub removed: Vec<u32>,
    /// Directories outside `/var` whose content is the host's.
    pub persistent: Vec<Persistent>,
    /// Parts of the image that are not installed, because they lie where the host's paths are.
    pub not_installed: Vec<NotInstalled>,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Checks everything that can be checked without a change, and prints the plan: one line for each
/// step. Leftovers stay.
pub fn dry_run(context: &Context, request: &Request, out: &mut dyn Write) -> Result<Outcome<()>, ApplyError> {
    let ready = match preflight::prepare(context, request)? {
        Preflight::Ready(ready) => ready,
        Preflight::NothingToDo { why, .. } => return Ok(Outcome::NothingToDo(why)),
    };
    let plan = space::plan(context, &ready)?;
    ready.describe(out).map_err(ApplyError::Output)?;
    ready.etc.report.describe(out).map_err(ApplyError::Output)?;
    plan.describe(&ready.index, out).map_err(ApplyError::Output)?;
    Ok(Outcome::Done(()))
}

/// Applies a bundle: afterwards the image boots next, or nothing has changed.
pub fn apply(context: &Context, request: &Request) -> Result<Outcome<Applied>, ApplyError> {
    let began = Instant::now();
    let ready = match preflight::prepare(context, request)? {
        Preflight::Ready(ready) => ready,
        Preflight::NothingToDo { why, lock: _lock } => {
            // An earlier run may have been cut off right after the switch.
            clean_up(context.next)?;
            return Ok(Outcome::NothingToDo(why));
        }
    };
    let removed = clean_up(context.next)?;
    let plan = space::plan(context, &ready)?;
    context.check_cancelled()?;
    let Manifest { compatible, version, .. } = &ready.bundle.manifest;
    let image = ImageName { version: version.clone(), compatible: compatible.clone() };
    let draft = Draft::open(context.next, &ready.base, &format!("tiu: {compatible} {version}"), image)?;
    let Stages { summary, etc, generated } = match stages(context, &ready, plan, &draft) {
        Ok(stages) => stages,
        Err(error) => return Err(draft.abandon(error)),
    };
    let snapshot = draft.commit::<ApplyError>(context.cancel)?;
    Ok(Outcome::Done(Applied {
        snapshot,
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
    }))
}

/// What the stages return.
struct Stages {
    summary: Summary,
    etc: EtcReport,
    generated: Vec<String>,
}

/// Runs everything between the new draft and its commit.
fn stages(context: &Context, ready: &Ready, plan: Plan, draft: &Draft) -> Result<Stages, ApplyError> {
    let filled = fill::fill(context, ready, plan, draft)?;
    context.check_cancelled()?;
    let record = finish::finish(context, ready, &filled, draft)?;
    context.check_cancelled()?;
    check::check(context, ready, &filled, &record, draft)?;
    context.check_cancelled()?;
    let generated = record.files.into_iter().map(|file| file.path).collect();
    Ok(Stages { summary: filled.summary, etc: filled.etc.report, generated })
}
