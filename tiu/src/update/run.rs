//! The update.

use super::avoided::note_avoided;
use super::check::{CandidateFacts, Check, check};
use super::choice::Verdict;
use super::error::UpdateError;
use super::location::UpdateSource;
use crate::host::HostError;
use crate::outcome::{NothingToDo, Outcome};
use crate::status::{ImageFacts, SignerFacts};
use crate::transaction::{self, Applied, ApplyError, Context, KnownImage, Request};
use tiu_extract::Verity;
use tiu_source::Location;

/// The source of an update, and how to open its images.
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// The source.
    pub source: UpdateSource,
    /// The way to open the image.
    pub verity: Verity,
    /// Receives what is known of the bundle that is applied.
    pub known: KnownImage,
}

/// The bundle that an update applies.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The place of the bundle.
    pub bundle: Location,
    /// The image.
    pub image: ImageFacts,
    /// Its signer.
    pub signer: SignerFacts,
}

/// The choice among the bundles of a source.
#[derive(Debug)]
pub struct Choice {
    /// The bundle, or the reason why there is nothing to do.
    pub outcome: Outcome<Chosen>,
    /// The reasons why other bundles cannot be used.
    pub refused: Vec<String>,
}

/// Chooses the newest image of the source that the host takes and does not have. There is nothing
/// to do while a reboot into another image is pending. Makes the host remember the images that it
/// went back from. Fails if no bundle of the source can be used.
pub fn choose(context: &Context, from: &UpdateSource) -> Result<Choice, UpdateError> {
    // The boot loader may have gone back since.
    if let Ok(_lock) = context.host().lock() {
        context.next.reconcile()?;
    }
    let Check { candidates, chosen: place, why, source, .. } = check(context, from)?;
    if candidates.iter().any(|candidate| candidate.verdict == Verdict::Avoided) {
        // Before snapper deletes the snapshot that shows it. Whoever holds the lock notes it too.
        if let Ok(_lock) = context.host().lock() {
            note_avoided(context.host(), context.config)?;
        }
    }
    let all = candidates.len();
    let (mut refused, mut chosen) = (Vec::new(), None);
    for CandidateFacts { verdict, reason, image, signer, location: bundle, .. } in candidates {
        match (verdict, image, signer) {
            (_, Some(image), Some(signer)) if place.as_ref() == Some(&bundle) => {
                chosen = Some(Chosen { bundle, image, signer });
            }
            (Verdict::Refused, ..) => refused.extend(reason),
            _ => {}
        }
    }
    let outcome = match (chosen, why) {
        (Some(chosen), None) => Outcome::Done(chosen),
        (_, Some(why @ (NothingToDo::RebootPending { .. } | NothingToDo::OnTrial(_)))) => {
            Outcome::NothingToDo(why)
        }
        _ if all > 0 && refused.len() == all => {
            return Err(UpdateError::NoneUsable { location: source, refused });
        }
        (_, why) => Outcome::NothingToDo(why.unwrap_or(NothingToDo::NothingNewer { source })),
    };
    Ok(Choice { outcome, refused })
}

/// Applies the chosen bundle. There is nothing to do while another program works on the snapshots.
///
/// A crash leaves what a crash of [`transaction::apply`] leaves.
pub fn apply_chosen(
    context: &Context,
    request: &UpdateRequest,
    chosen: &Chosen,
) -> Result<Outcome<Applied>, UpdateError> {
    let apply = Request {
        bundle: chosen.bundle.clone(),
        network: request.source.network.clone(),
        verity: request.verity,
        allow_downgrade: false,
        allow_trust_change: false,
        force: false,
        full: false,
        unattended: true,
        known: request.known.clone(),
    };
    match transaction::apply(context, &apply) {
        // A person or another updater is at work.
        Err(ApplyError::Host(error @ (HostError::Locked { .. } | HostError::TukitRuns { .. }))) => {
            Ok(Outcome::NothingToDo(NothingToDo::Busy(error.to_string())))
        }
        outcome => Ok(outcome?),
    }
}
