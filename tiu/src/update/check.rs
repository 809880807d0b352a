//! The effects that an update would have.

use super::avoided::avoided;
use super::candidates::{self, Candidate, CandidateImage};
use super::choice::{self, Verdict};
use super::error::UpdateError;
use super::location::UpdateSource;
use crate::boot::EntryState;
use crate::outcome::NothingToDo;
use crate::snapshots::State;
use crate::state::ImageState;
use crate::status::{ImageFacts, SignerFacts};
use crate::transaction::{ApplyError, Context, KnownHost, identify, pending};
use serde::Serialize;
use std::path::Path;
use tiu_source::Location;

/// A bundle of the source. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct CandidateFacts {
    /// Name of the file.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason of the verdict, in words.
    pub reason: Option<String>,
    /// The image, if the signature is good.
    pub image: Option<ImageFacts>,
    /// Its signer.
    pub signer: Option<SignerFacts>,
    /// The place of the bundle.
    #[serde(skip)]
    pub location: Location,
}

/// The effects that an update would have. The field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The source, as it was named.
    pub source: String,
    /// The snapshot that boots next.
    pub next: u32,
    /// True if a reboot into another image is pending. Nothing is applied then.
    pub reboot_pending: bool,
    /// The name of the bundle that would be applied.
    pub apply: Option<String>,
    /// Every bundle of the source, the newest first.
    pub candidates: Vec<CandidateFacts>,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
    /// The reason why nothing would be done, if that is so.
    #[serde(skip)]
    pub why: Option<NothingToDo>,
    #[serde(skip)]
    pub(super) chosen: Option<Location>,
}

/// Returns what an update from `source` would do. Changes nothing, and takes no lock.
pub fn check(context: &Context, source: &UpdateSource) -> Result<Check, UpdateError> {
    let Context { config, trust, .. } = *context;
    let host = context.host();
    let base = host.default_snapshot()?;
    if base.state() == State::InProgress {
        return Err(ApplyError::BaseUnfinished(base.number).into());
    }
    let state = ImageState::open_base(host, base.number, trust).map_err(ApplyError::Base)?;
    let pending = pending(context, &base, &state);
    let KnownHost { identity, memory, warnings, .. } = identify(context, &state)?;
    let avoided = avoided(&crate::status::snapshots(host, config, None)?, memory.as_ref());
    let of_base = state.provenance().map(|provenance| &provenance.manifest);
    let judge = |image: &CandidateImage| choice::judge(image, &identity, of_base, &avoided);
    let mut found = candidates::find(context, source)?;
    found.sort_by(|a, b| match (&a.image, &b.image) {
        (Ok(a), Ok(b)) => choice::compare_ages(&b.manifest, &a.manifest),
        (a, b) => b.is_ok().cmp(&a.is_ok()),
    });
    let candidates: Vec<CandidateFacts> = found.iter().map(|candidate| facts(candidate, judge)).collect();
    let chosen = candidates.iter().find(|candidate| candidate.verdict == Verdict::Newer);
    let location = chosen.map(|chosen| chosen.location.clone());
    let newest = chosen.map(|chosen| chosen.name.clone());
    let nothing_newer = || NothingToDo::NothingNewer { source: source.shown.clone() };
    let on_trial =
        host.is_live() && base.active && matches!(context.next.entry(&base)?, EntryState::Trial(_));
    let pending = pending.or(on_trial.then_some(NothingToDo::OnTrial(base.number)));
    let why = match (pending, &location) {
        (Some(pending), _) => Some(pending),
        (None, None) => Some(nothing_newer()),
        (None, Some(_)) => None,
    };
    let reboot_pending = matches!(why, Some(NothingToDo::RebootPending { .. }));
    Ok(Check {
        source: source.shown.clone(),
        next: base.number,
        reboot_pending,
        apply: newest.filter(|_| why.is_none()),
        candidates,
        warnings,
        chosen: location.filter(|_| why.is_none()),
        why,
    })
}

fn facts(
    candidate: &Candidate,
    judge: impl Fn(&CandidateImage) -> (Verdict, Option<String>),
) -> CandidateFacts {
    let name =
        candidate.location.path().and_then(Path::file_name).map(|name| Path::new(name).display().to_string());
    let (verdict, reason) = match &candidate.image {
        Ok(image) => judge(image),
        Err(error) => (Verdict::Refused, Some(error.to_string())),
    };
    let image = candidate.image.as_ref().ok();
    CandidateFacts {
        name: name.unwrap_or_else(|| candidate.location.to_string()),
        verdict,
        reason,
        image: image.map(|image| (&image.manifest).into()),
        signer: image.map(|image| (&image.signer).into()),
        location: candidate.location.clone(),
    }
}
