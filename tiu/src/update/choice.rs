//! The verdict on each bundle, and the choice among them.

use super::candidates::CandidateImage;
use crate::host::Avoided;
use crate::incoming::{Allowed, HostIdentity, Mismatch, compare_versions, parse_time};
use crate::outcome::Outcome;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use tiu_bundle::manifest::Manifest;

/// The verdict on a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The host takes it, and does not have it.
    Newer,
    /// The host has it: it boots next.
    Installed,
    /// It is not newer than what the host has or has had, or than it accepts.
    NotNewer,
    /// It is for other hosts, or needs a newer one.
    NotForThisHost,
    /// The host had it and went back from it.
    Avoided,
    /// Its signature, its content or the host's own identity is in the way.
    Refused,
}

/// Returns the verdict on an image, and the reason in words. `base` is the manifest of the image
/// that boots next, `avoided` are the images that the host went back from, by root hash.
pub fn judge(
    image: &CandidateImage,
    identity: &HostIdentity,
    base: Option<&Manifest>,
    avoided: &BTreeMap<String, Avoided>,
) -> (Verdict, Option<String>) {
    let manifest = &image.manifest;
    match identity.accepts(manifest, image.signed, Allowed::default()) {
        Ok(Outcome::NothingToDo(_)) => return (Verdict::Installed, None),
        Ok(Outcome::Done(())) => {}
        Err(mismatch) => {
            let verdict = match mismatch {
                Mismatch::Downgrade(_) | Mismatch::BelowMinimum { .. } => Verdict::NotNewer,
                Mismatch::CompatibleUnknown { .. } => Verdict::Refused,
                Mismatch::Failed { .. } => Verdict::Avoided,
                _ => Verdict::NotForThisHost,
            };
            return (verdict, Some(mismatch.to_string()));
        }
    }
    if let Some(note) = avoided.get(&manifest.verity_hash.to_string()) {
        return (Verdict::Avoided, Some(note.why.clone()));
    }
    // Two images of one version and one time would otherwise replace each other in turn.
    if base.is_some_and(|base| compare_ages(manifest, base) != Ordering::Greater) {
        return (
            Verdict::NotNewer,
            Some("it has the version and the time of the image that the host has".into()),
        );
    }
    (Verdict::Newer, None)
}

/// Compares two images by version, then by the time at which they were packed.
pub fn compare_ages(a: &Manifest, b: &Manifest) -> Ordering {
    compare((&a.version, &a.tiu.created), (&b.version, &b.tiu.created))
}

/// Compares two images by version, then by the time at which they were packed: of each both, as in
/// the manifest.
pub fn compare(a: (&str, &str), b: (&str, &str)) -> Ordering {
    compare_versions(a.0, b.0).then_with(|| parse_time(a.1).cmp(&parse_time(b.1)))
}
