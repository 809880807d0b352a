//! Images that the host went back from: an unattended update must not bring them again.
//!
//! A host went back from an image where a finished snapshot has it, is not what boots next, and is
//! newer than what boots next: by `tiu rollback`, by another program, or by the boot loader. The
//! host remembers it, because snapper deletes the snapshot some day.

use super::choice;
use super::error::UpdateError;
use crate::config::Config;
use crate::host::{Avoided, Host, Memory, Recalled};
use crate::snapshots::State;
use crate::status::SnapshotFacts;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Returns the images that the host went back from, by root hash: those that it remembers, and
/// those that its snapshots show.
pub fn avoided(snapshots: &[SnapshotFacts], memory: Option<&Memory>) -> BTreeMap<String, Avoided> {
    let mut avoided = memory.map(|memory| memory.avoided.clone()).unwrap_or_default();
    let next = snapshots.iter().find(|snapshot| snapshot.next).and_then(|next| next.image.as_ref());
    let Some(next) = next else { return avoided };
    for snapshot in snapshots.iter().filter(|snapshot| !snapshot.next && snapshot.state == State::Done) {
        let Some(image) = &snapshot.image else { continue };
        if image.compatible == next.compatible
            && choice::compare((&image.version, &image.created), (&next.version, &next.created))
                == Ordering::Greater
        {
            let why = format!("the host went back from it: it is in snapshot {}", snapshot.number);
            let note = Avoided::from_now(&image.compatible, &image.version, &why);
            avoided.entry(image.root_hash.clone()).or_insert(note);
        }
    }
    avoided
}

/// Makes the host remember the images that it went back from. The caller holds the host's lock. A
/// memory that is damaged, or that a later tiu wrote, stays as it is: the next update mends it.
pub fn note_avoided(host: &Host, config: &Config) -> Result<(), UpdateError> {
    let mut memory = match host.recall()? {
        Recalled::Known(memory) => memory,
        Recalled::Missing => Memory::default(),
        Recalled::Damaged(_) | Recalled::Future(_) => return Ok(()),
    };
    let found = avoided(&crate::status::snapshots(host, config, None)?, None);
    let mut noted = false;
    for (root_hash, note) in found {
        noted |= memory.avoid(&root_hash, note);
    }
    if noted {
        host.remember(&memory)?;
    }
    Ok(())
}
