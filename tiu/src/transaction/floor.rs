//! The floors on this host, below which an image is a downgrade: from the base, and from the host's
//! memory.
//!
//! The host remembers the newest image that was ever applied, so a rollback does not open the way
//! for an older one. A file that is missing or damaged is replaced by the newest of the host's
//! snapshots: the strictest answer that lets a host go on.

use super::context::Context;
use super::error::ApplyError;
use crate::host::{FailedImage, HostError, Memory, Recalled};
use crate::incoming::{Floor, FloorSource, compare_versions, parse_time};
use crate::snapshots::State;
use crate::state::{ImageState, Provenance};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;
use tiu_system::os_release::OsRelease;
use tiu_system::text::printable;
use tiu_system::tree::Tree;

/// The limits below which an image is a downgrade.
pub struct Floors {
    /// In the order in which they are checked.
    pub floors: Vec<Floor>,
    /// The images that did not start: root hash, time and reason.
    pub failed: BTreeMap<String, (String, String)>,
    /// The host's next memory, unless a later tiu wrote it.
    pub memory: Option<Memory>,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
}

/// Returns what an image for hosts of the kind `compatible` must not be older than.
pub fn read(
    context: &Context,
    base: &ImageState,
    os: &OsRelease,
    compatible: Option<&str>,
) -> Result<Floors, ApplyError> {
    let mut warnings = Vec::new();
    let (mut memory, writable) = match context.host().recall()? {
        Recalled::Known(memory) => (memory, true),
        Recalled::Missing => {
            let worked = context.host().snapshots()?.iter().any(|s| s.state() != State::Ordinary);
            warnings.extend(worked.then(|| unknown(context, "is missing")));
            (memory_from_snapshots(context)?, true)
        }
        Recalled::Damaged(reason) => {
            warnings.push(unknown(context, &reason));
            (memory_from_snapshots(context)?, true)
        }
        Recalled::Future(found) => {
            let reason = format!("has format {found}, which this tiu does not know");
            warnings.push(unknown(context, &reason));
            (memory_from_snapshots(context)?, false)
        }
    };
    let mut floors = Vec::new();
    match base.provenance() {
        Some(Provenance { manifest, signer: Ok(signer), .. }) => {
            floors.push(Floor::new(FloorSource::Base, manifest, signed_at(signer)));
            raise(&mut memory, manifest, signer);
        }
        Some(Provenance { signer: Err(reason), .. }) => warnings.push(format!(
            "the version of snapshot {}, from which the update starts, does not count for what is a downgrade: {reason}",
            base.number()
        )),
        None => floors.extend(os.get("IMAGE_VERSION").map(|version| Floor {
            source: FloorSource::Base,
            version: version.to_owned(),
            created: None,
            signed: None,
        })),
    }
    if let Some(newest) = compatible.and_then(|compatible| memory.newest.get(compatible)) {
        floors.push(Floor {
            source: FloorSource::Memory,
            version: newest.version.clone(),
            created: Some(newest.created),
            signed: newest.signed,
        });
    }
    let why = |failed: &FailedImage| (failed.minute(), printable(&failed.reason));
    let failed = memory.failed.iter().map(|(hash, failed)| (hash.clone(), why(failed))).collect();
    Ok(Floors { floors, failed, memory: writable.then_some(memory), warnings })
}

/// Makes the host remember the image. Called right before it becomes what boots next.
///
/// After a crash, the host remembers an image that it can still apply.
pub fn remember(context: &Context, memory: &Memory, bundle: &Bundle) -> Result<(), HostError> {
    let mut memory = memory.clone();
    raise(&mut memory, &bundle.manifest, &bundle.signer);
    // Whoever applies an image that the host went back from wants it again.
    memory.avoided.remove(&bundle.manifest.verity_hash.to_string());
    context.host().remember(&memory)
}

/// Returns the time of a signature.
pub fn signed_at(signer: &Signer) -> Option<OffsetDateTime> {
    signer.signing_time.as_deref().and_then(parse_time)
}

fn raise(memory: &mut Memory, manifest: &Manifest, signer: &Signer) {
    let Some(created) = parse_time(&manifest.tiu.created) else { return };
    let signed = signed_at(signer);
    memory.raise(&manifest.compatible, &manifest.version, created, signed, compare_versions);
}

/// Returns what the host would remember of the images in its snapshots, as far as their signers are
/// trusted.
fn memory_from_snapshots(context: &Context) -> Result<Memory, ApplyError> {
    let mut memory = Memory::default();
    for snapshot in context.host().snapshots()?.iter().filter(|s| s.state() != State::InProgress) {
        let Ok(tree) = Tree::open(&context.host().snapshot_path(snapshot.number)) else { continue };
        if let Ok(Some(Provenance { manifest, signer: Ok(signer), .. })) =
            Provenance::read(&tree, Some(context.trust))
        {
            raise(&mut memory, &manifest, &signer);
        }
    }
    Ok(memory)
}

fn unknown(context: &Context, reason: &str) -> String {
    format!(
        "{} {reason}: the newest image of the host's snapshots counts for what is a downgrade",
        context.host().memory_path().display()
    )
}
