//! The plugin's side: tukit waits for each of these, and aborts if one before the default fails.

use super::error::TukitError;
use super::event::TukitEvent;
use super::pending::{Pending, Stage};
use crate::outcome::Outcome;
use crate::snapshots::{CHECKED, COMPATIBLE_KEY, STATE_KEY, VERSION_KEY};
use crate::state::{ImageState, Record};
use crate::status::check_bootable;
use crate::transaction::{Context, KnownImage, Request, fill_inside};
use crate::verify::{Depth, InitrdSettings, VerifyRequest, verify};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tiu_extract::Difference;
use tiu_source::Network;
use tiu_system::path::TreePath;
use tiu_system::tree::Tree;

/// The file of GRUB that transactional-update writes into the snapshot.
const GRUB_CFG: &TreePath = TreePath::literal("boot/grub2/grub.cfg");
/// Inode number of the root of every subvolume (btrfs_tree.h: `BTRFS_FIRST_FREE_OBJECTID`).
const SUBVOLUME_INODE: u64 = 256;

/// Handles a stage. Does nothing where `tiu update --tukit` has not started transactional-update.
/// Returns what was done, in words, if it was something.
pub fn on_tukit_event(context: &Context, event: &TukitEvent) -> Result<Option<String>, TukitError> {
    if *event == TukitEvent::Other {
        return Ok(None);
    }
    let Some(mut pending) = Pending::read()? else { return Ok(None) };
    let handled = handle(context, event, &mut pending);
    if let Err(error) = &handled {
        // tukit shows a plugin's output only in its own log.
        pending.at(Stage::Failed { reason: error.to_string() })?;
    }
    handled
}

fn handle(
    context: &Context,
    event: &TukitEvent,
    pending: &mut Pending,
) -> Result<Option<String>, TukitError> {
    match (event, &pending.stage) {
        (TukitEvent::Opened { bind, number }, Stage::Pending) => {
            check_bind(context, bind, *number)?;
            fill(context, pending, *number)?;
            pending.at(Stage::Filled { number: *number })?;
            Ok(Some(format!("snapshot {number} was filled")))
        }
        // Only the first snapshot is for the image.
        (TukitEvent::Opened { .. }, _) => Ok(None),
        (TukitEvent::Closing { bind, number }, Stage::Filled { number: filled }) if number == filled => {
            check_bind(context, bind, *number)?;
            check(context, *number)?;
            pending.at(Stage::Checked { number: *number })?;
            Ok(Some(format!("snapshot {number} is what was signed")))
        }
        (TukitEvent::Closing { number, .. }, _) => Err(TukitError::NotFilled { number: *number }),
        // The file goes with the run that holds it.
        (TukitEvent::Closed(_) | TukitEvent::Aborted(_) | TukitEvent::Other, _) => Ok(None),
    }
}

/// Checks that `bind` shows the snapshot.
fn check_bind(context: &Context, bind: &Path, number: u32) -> Result<(), TukitError> {
    let wrong = |why: String| TukitError::Bind { bind: bind.to_owned(), number, why };
    let found = bind.symlink_metadata().map_err(|e| wrong(e.to_string()))?;
    let expected =
        context.host().snapshot_path(number).symlink_metadata().map_err(|e| wrong(e.to_string()))?;
    if found.ino() != SUBVOLUME_INODE || found.dev() != expected.dev() {
        return Err(wrong("something else is mounted there".into()));
    }
    Ok(())
}

fn fill(context: &Context, pending: &Pending, number: u32) -> Result<(), TukitError> {
    let request = Request {
        bundle: pending.bundle.clone().into(),
        network: Network::default(),
        verity: context.config.verity,
        allow_downgrade: false,
        allow_trust_change: false,
        force: false,
        // The seal of the base is for runs that remove it first and put it back at their end: this
        // one ends in another process.
        full: true,
        unattended: true,
        known: KnownImage::default(),
    };
    match fill_inside(context, &request, number)? {
        Outcome::Done(image) if image.root_hash == pending.root_hash => Ok(()),
        Outcome::Done(_) | Outcome::NothingToDo(_) => {
            Err(TukitError::OtherImage { bundle: pending.bundle.clone() })
        }
    }
}

/// Checks snapshot `number` after transactional-update has worked in it, and marks it as checked.
/// The initrd is recorded as it is now.
fn check(context: &Context, number: u32) -> Result<(), TukitError> {
    let Context { config, trust, watch, .. } = *context;
    let host = context.host();
    let snapshot = host.snapshot(number)?;
    let tree = Tree::open(&host.snapshot_path(number))?;
    let mut record = Record::read(&tree)?.ok_or(TukitError::NotFilled { number })?;
    for file in std::mem::take(&mut record.files) {
        record.add(&tree, &file.path)?;
    }
    record.write(&tree)?;
    let request = VerifyRequest {
        depth: Depth::Content,
        claimed: &config.host_paths,
        accepted: &[GRUB_CFG.to_owned()],
        initrd: InitrdSettings::from_running_system(config),
    };
    let verified = verify(host, Some(trust), &snapshot, &request, watch)?;
    let differences: Vec<Difference> =
        verified.differences.into_iter().filter(|difference| !is_time_of_usr(difference)).collect();
    if !differences.is_empty() {
        return Err(TukitError::Differs { number, differences });
    }
    let state = ImageState::open(host, number, Some(trust))?;
    check_bootable(&tree, Some(&state), config).map_err(|lacks| TukitError::NotBootable { number, lacks })?;
    let (version, compatible) = (&verified.image.version, &verified.image.compatible);
    let userdata = [(STATE_KEY, CHECKED), (VERSION_KEY, version), (COMPATIBLE_KEY, compatible)];
    Ok(host.set_userdata(number, &userdata)?)
}

/// Returns true for the time of `/usr`, which tukit sets so that systemd notices an update.
fn is_time_of_usr(difference: &Difference) -> bool {
    difference.what == "mtime" && difference.path.as_bytes() == b"usr"
}
