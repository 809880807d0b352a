//! The side of `tiu update --tukit`: starts transactional-update, and adopts what it made.

use super::error::TukitError;
use super::pending::{Pending, Stage};
use crate::draft::clean_up;
use crate::snapshots::Snapshot;
use crate::state::ImageState;
use crate::transaction::Context;
use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiu_source::Location;
use tiu_system::path::TreePath;
use tiu_system::program::{Run, RunError, TRANSACTIONAL_UPDATE};
use tiu_system::tree::Tree;

/// Places of the plugin; the first that exists is the one that tukit calls.
const PLUGINS: [&str; 2] = ["/etc/tukit/plugins/tiu", "/usr/lib/tukit/plugins/tiu"];
/// Variable that transactional-update sets for programs in its snapshot.
const INSIDE: &str = "TRANSACTIONAL_UPDATE";
/// The tasks of transactional-update: each opens the same snapshot, makes its part, keeps it.
const TASKS: [&str; 3] = ["--no-selfupdate", "initrd", "bootloader"];
/// Time that transactional-update has.
const LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// The bundle that is applied by transactional-update.
#[derive(Clone, Debug)]
pub struct DriveRequest {
    /// The place of the bundle.
    pub bundle: Location,
    /// Root hash of its image.
    pub root_hash: String,
    /// Trusted certificates of the command line, instead of the configured ones.
    pub keyring: Vec<PathBuf>,
}

/// Lets transactional-update apply a bundle, and returns the number of the snapshot, which boots
/// next. The caller does not hold the host's lock.
///
/// A crash leaves what a crash of transactional-update leaves: an unfinished snapshot, which `tiu
/// cleanup` removes, or the new default.
pub fn drive(context: &Context, request: &DriveRequest) -> Result<u32, TukitError> {
    let host = context.host();
    if std::env::var_os(INSIDE).is_some() {
        return Err(TukitError::Nested);
    }
    check_plugin()?;
    let base = host.default_snapshot()?;
    if !base.active {
        return Err(TukitError::NotRunning { next: base.number });
    }
    let DriveRequest { bundle, root_hash, keyring } = request.clone();
    let Location::Path(bundle) = bundle else {
        return Err(TukitError::NotAFile { bundle: bundle.to_string() });
    };
    let bundle = std::path::absolute(&bundle).unwrap_or(bundle);
    let _held = Pending::new(bundle, root_hash, keyring).begin()?;
    let run = Run::new(&TRANSACTIONAL_UPDATE).args(TASKS).limit(LIMIT).cancel(context.watch.cancel());
    let ended = run.output();
    let stage = Pending::content()?.stage;
    match (ended, stage) {
        (Err(RunError::Cancelled(cancelled)), _) => Err(TukitError::Boot(cancelled.into())),
        (_, Stage::Failed { reason }) => Err(TukitError::PluginFailed { reason }),
        (Err(error), _) => Err(TukitError::Failed(error)),
        (Ok(_), Stage::Checked { number }) => adopt(context, number),
        (Ok(_), Stage::Pending | Stage::Filled { .. }) => Err(TukitError::Unused),
    }
}

/// Checks that tukit will call tiu: before anything is done, because transactional-update would
/// otherwise make a snapshot without the image.
fn check_plugin() -> Result<(), TukitError> {
    let [_, last] = PLUGINS.map(Path::new);
    let plugin = PLUGINS.map(Path::new).into_iter().find(|path| path.symlink_metadata().is_ok());
    let path = plugin.unwrap_or(last);
    let found = match path.metadata() {
        Err(_) => "missing",
        Ok(metadata) if !metadata.is_file() => "switched off",
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => "not executable",
        Ok(_) => return Ok(()),
    };
    Err(TukitError::Plugin { path: path.to_owned(), found })
}

/// Takes over the new default: through the door to what boots next, and with the time of `/usr` that
/// was signed.
fn adopt(context: &Context, number: u32) -> Result<u32, TukitError> {
    let host = context.host();
    let _lock = host.lock()?;
    let snapshot = host.snapshot(number)?;
    if !snapshot.default {
        return Err(TukitError::Unused);
    }
    restore_time(context, &snapshot)?;
    clean_up(context.next)?;
    Ok(number)
}

/// Gives `/usr` the time of the image. tukit sets the current one after its last check.
fn restore_time(context: &Context, snapshot: &Snapshot) -> Result<(), TukitError> {
    let host = context.host();
    let state = ImageState::open(host, snapshot.number, Some(context.trust))?;
    let usr = TreePath::literal("usr");
    let Some(index) = state.index()? else { return Ok(()) };
    let Some(entry) = index.find(usr).map(|found| index.entry(found)) else { return Ok(()) };
    let time = Timespec { tv_sec: entry.mtime.sec, tv_nsec: entry.mtime.nsec.into() };
    let tree = Tree::open(&host.snapshot_path(snapshot.number))?;
    if snapshot.read_only {
        host.set_read_only(snapshot.number, false)?;
    }
    let times = Timestamps { last_access: time, last_modification: time };
    let set = utimensat(tree.fd(), "usr", &times, AtFlags::SYMLINK_NOFOLLOW);
    if snapshot.read_only {
        host.set_read_only(snapshot.number, true)?;
    }
    set.map_err(|e| TukitError::Io { path: tree.path().join("usr"), source: e.into() })
}
