//! The stages in their order.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::facts::{Applied, Planned, UpdateFacts};
use super::foreign::{self, Foreign};
use super::preflight::{self, Preflight, Ready, RunMode};
use super::stage::Stage;
use super::{bootable, check, damage, fill, finish, floor, next_trust, sealed, space};
use crate::draft::{Draft, ImageName, clean_up};
use crate::etc::EtcReport;
use crate::host::Seal;
use crate::outcome::Outcome;
use crate::snapshots::Start;
use std::time::Instant;
use tiu_bundle::manifest::Manifest;
use tiu_extract::{Plan, Summary};
use tiu_system::path::TreePathBuf;

/// Checks everything that can be checked without a change, and returns the plan. Leftovers stay.
pub fn dry_run(context: &Context, request: &Request) -> Result<Outcome<Planned>, ApplyError> {
    let mut ready = match preflight::prepare(context, request, RunMode::DryRun)? {
        Preflight::Ready(ready) => ready,
        Preflight::NothingToDo { why, .. } => return Ok(Outcome::NothingToDo(why)),
    };
    let (plan, foreign, trust) = planned(context, request, &mut ready)?;
    ready.warnings.extend(trust);
    Ok(Outcome::Done(Planned::new(*ready, &plan, foreign).map_err(ApplyError::Output)?))
}

/// Applies a bundle: afterwards the image boots next, or nothing has changed.
pub fn apply(context: &Context, request: &Request) -> Result<Outcome<Applied>, ApplyError> {
    let began = Instant::now();
    let mut ready = match preflight::prepare(context, request, RunMode::Apply)? {
        Preflight::Ready(ready) => ready,
        Preflight::NothingToDo { why, lock: _lock } => {
            // An earlier run may have been cut off right after the switch.
            clean_up(context.next)?;
            context.next.check_boots(context.host().default_snapshot()?.number)?;
            return Ok(Outcome::NothingToDo(why));
        }
    };
    let removed = clean_up(context.next)?;
    ready.sealed = sealed::take(context, ready.sealed);
    let warnings = ready.warnings.len();
    let attempted = match attempt(context, request, &mut ready) {
        Err(error) if ready.sealed.is_some() && sealed::speaks_against(&error) => {
            ready.sealed = None;
            ready.warnings.truncate(warnings);
            ready.warnings.push(format!("everything was compared, because a first attempt failed: {error}"));
            attempt(context, request, &mut ready)
        }
        attempted => attempted,
    };
    let Attempted { snapshot, stages, foreign } =
        attempted.inspect_err(|error| sealed::put_back(context, ready.sealed.as_ref(), error))?;
    let Stages { summary, etc, generated, warnings, .. } = stages;
    let mut facts = UpdateFacts::new(*ready, summary, etc, foreign);
    facts.warnings.extend(warnings);
    Ok(Outcome::Done(Applied { snapshot, facts, generated, removed, took: began.elapsed() }))
}

/// The results of an attempt.
struct Attempted {
    snapshot: u32,
    stages: Stages,
    foreign: Foreign,
}

/// Makes a snapshot that boots next, or none.
fn attempt(context: &Context, request: &Request, ready: &mut Ready) -> Result<Attempted, ApplyError> {
    // The finished snapshot is asked about its trust once more, and then warned about.
    let (plan, foreign, _) = planned(context, request, ready)?;
    context.check_cancelled()?;
    let Manifest { compatible, version, .. } = &ready.bundle.manifest;
    let image = ImageName { version: version.clone(), compatible: compatible.clone() };
    let start = if plan.is_possible() { Start::Copy } else { Start::Empty };
    let description = format!("tiu: {compatible} {version}");
    let draft = Draft::open(context.next, &ready.base, &description, image, start)?;
    let stages = match stages(context, request, ready, plan, &draft) {
        Ok(stages) => stages,
        Err(error) => return Err(draft.abandon(error)),
    };
    let number = draft.number();
    let snapshot = context.stage(Stage::Commit, Some(number), Some(version), || {
        if let Some(memory) = &ready.memory
            && let Err(error) = floor::remember(context, memory, &ready.bundle)
        {
            return Err(draft.abandon(error.into()));
        }
        let of_base = ready.sealed.iter().map(|sealed| sealed.seal().clone());
        sealed::add(context, stages.seal.iter().cloned().chain(of_base).collect());
        draft.commit::<ApplyError>(context.watch.cancel())
    })?;
    Ok(Attempted { snapshot, stages, foreign })
}

/// Checks that what will be made can boot and be updated again, compares the base with the image,
/// and checks that there is room. Warns about what no image brought and will be gone. The last
/// value is a warning about the trust of what will be made.
pub(super) fn planned(
    context: &Context,
    request: &Request,
    ready: &mut Ready,
) -> Result<(Plan, Foreign, Option<String>), ApplyError> {
    bootable::check_plan(context, ready)?;
    let trust = next_trust::check_plan(context, request, ready)?;
    let version = Some(ready.bundle.manifest.version.as_str());
    let plan = context.stage(Stage::Compare, None, version, || space::plan(context, ready))?;
    context.next.preflight(&space::boot_files(ready))?;
    let foreign = foreign::foreign(ready, &plan)?;
    ready.warnings.extend(damage::warning(ready.base.number, &plan));
    ready.warnings.extend(foreign.warning(ready.base.number));
    Ok((plan, foreign, trust))
}

/// The results of the stages.
pub(super) struct Stages {
    summary: Summary,
    etc: EtcReport,
    generated: Vec<TreePathBuf>,
    warnings: Vec<String>,
    seal: Option<Seal>,
}

/// Runs everything between the new draft and its commit.
pub(super) fn stages(
    context: &Context,
    request: &Request,
    ready: &Ready,
    plan: Plan,
    draft: &Draft,
) -> Result<Stages, ApplyError> {
    space::check_quota(context, ready, &plan, Some(draft.subvolume()))?;
    let (number, version) = (Some(draft.number()), Some(ready.bundle.manifest.version.as_str()));
    let filled = context.stage(Stage::Copy, number, version, || fill::fill(context, ready, plan, draft))?;
    context.check_cancelled()?;
    let record = finish::finish(context, ready, &filled, draft)?;
    context.check_cancelled()?;
    let seal = context
        .stage(Stage::Check, number, version, || check::check(context, ready, &filled, &record, draft))?;
    context.check_cancelled()?;
    let mut warnings = record.initrd.map(|initrd| initrd.warnings).unwrap_or_default();
    warnings.extend(next_trust::check_draft(context, request, ready, draft)?);
    let generated = record.files.into_iter().map(|file| file.path).collect();
    Ok(Stages { summary: filled.summary, etc: filled.etc.report, generated, warnings, seal })
}
