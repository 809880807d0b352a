//! An update inside another program's transaction: that program made the snapshot, and makes it what
//! boots next. tiu fills it.

use super::apply::{planned, stages};
use super::context::{Context, Request};
use super::error::ApplyError;
use super::preflight::{self, Preflight, RunMode};
use crate::draft::{Draft, ImageName};
use crate::outcome::Outcome;
use crate::snapshots::{IN_PROGRESS, STATE_KEY, Snapshot};
use crate::status::ImageFacts;

/// Fills snapshot `number`, which another program has just made from what runs, with an image, and
/// marks it as unfinished work of tiu's. Takes the host's lock and not that program's. The caller
/// removes the snapshot if this fails.
pub fn fill_inside(
    context: &Context,
    request: &Request,
    number: u32,
) -> Result<Outcome<ImageFacts>, ApplyError> {
    let mut ready = match preflight::prepare(context, request, RunMode::Inside)? {
        Preflight::Ready(ready) => ready,
        Preflight::NothingToDo { why, .. } => return Ok(Outcome::NothingToDo(why)),
    };
    let host = context.host();
    let target = host.snapshot(number)?;
    check_target(&ready.base, &target)?;
    let (plan, _, _) = planned(context, request, &mut ready)?;
    let manifest = &ready.bundle.manifest;
    let image = ImageName { version: manifest.version.clone(), compatible: manifest.compatible.clone() };
    let facts = ImageFacts::from(manifest);
    host.set_userdata(number, &[(STATE_KEY, IN_PROGRESS)])?;
    let draft = Draft::of_other(context.next, &ready.base, target, image)?;
    stages(context, request, &ready, plan, &draft)?;
    Ok(Outcome::Done(facts))
}

/// Refuses a snapshot that is not a fresh one of the base.
fn check_target(base: &Snapshot, target: &Snapshot) -> Result<(), ApplyError> {
    let why = if !base.active {
        "another snapshot than what runs boots next, and it would be lost"
    } else if target.active || target.default {
        "it is in use"
    } else if target.parent_uuid.as_ref() != Some(&base.uuid) {
        "it was not made from what runs"
    } else if target.read_only {
        "it is read-only"
    } else {
        return Ok(());
    };
    Err(ApplyError::OtherTarget { number: target.number, why })
}
