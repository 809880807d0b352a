//! Restores the image's version.
//!
//! A reset does the work of an update, for some paths only: the engine brings them to the state in
//! the index, with the copy of the image's `/etc` as the image, and keeps all others.

use super::error::EditError;
use super::view::{EtcChange, View};
use crate::accounts;
use crate::boot::bootable::check_fstab;
use crate::config::{Config, NextTrust, SignedImage};
use crate::etc::pristine::{PRISTINE_PATH, index_of_etc};
use crate::etc::{ETC, States};
use crate::host::{Host, HostMounts, PlannedTree};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use tiu_bundle::index::{CMS_PATH, Kind};
use tiu_bundle::signature::MAX_CMS_SIZE;
use tiu_extract::{Image, ImageError, Job, ReadBack, Rules, Summary};
use tiu_system::beneath::Beneath;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::progress::{Cancel, Watch};
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// The paths to reset, and what is allowed.
#[derive(Clone, Copy)]
pub struct ResetRequest<'a> {
    /// The host.
    pub host: &'a Host,
    /// Its configuration.
    pub config: &'a Config,
    /// The paths, with all below them.
    pub paths: &'a [TreePathBuf],
    /// True if the host may stop accepting the image that it has.
    pub allow_trust_change: bool,
}

/// The result of a reset.
#[derive(Debug)]
pub struct Reset {
    /// The work of the engine.
    pub summary: Summary,
    /// A warning for the administrator.
    pub warning: Option<String>,
}

/// Brings the paths back to the defaults. What the image does not have is removed.
pub fn reset(view: &View, request: ResetRequest, cancel: &Cancel) -> Result<Reset, EditError> {
    let (rules, warning) = check(view, request)?;
    let target = view.tree().directory("etc")?;
    let index = index_of_etc(view.index()?)?;
    let image = Pristine::of_tree(view.tree())?;
    let seeds = [view.tree().path().join(PRISTINE_PATH)];
    let job = Job {
        index: &index,
        image: &image,
        target: target.as_fd(),
        seeds: &seeds,
        rules: &rules,
        watch: Watch::without_progress(cancel),
    };
    let plan = tiu_extract::plan(&job)?;
    let summary = tiu_extract::execute(&job, &plan)
        .map_err(|error| EditError::in_snapshot(error, view.number(), Path::new("/etc")))?;
    let read_back = ReadBack::Executed(&plan);
    let differences =
        tiu_extract::check(&index, target.as_fd(), &rules, read_back, Watch::without_progress(cancel))?;
    if !differences.is_empty() {
        return Err(EditError::Differs(differences));
    }
    rustix::fs::syncfs(&target).map_err(|e| failed(view.tree(), "etc", e))?;
    Ok(Reset { summary, warning })
}

/// Checks all that can be checked before anything is written. Returns the engine's rules, and what
/// the administrator should know.
fn check(view: &View, request: ResetRequest) -> Result<(Rules, Option<String>), EditError> {
    let paths = request.paths;
    check_there(view, paths)?;
    check_image_fstab(view, paths)?;
    let rules = Rules { keep: kept_paths(view, paths)?, host_paths: host_paths(view), ..view.rules.clone() };
    let warning = check_trust(view, request, &rules)?;
    Ok((rules, warning))
}

/// Checks that what a reset by `rules` leaves accepts the snapshot's image, if the host does now.
/// Returns what the administrator should know.
fn check_trust(view: &View, request: ResetRequest, rules: &Rules) -> Result<Option<String>, EditError> {
    let ResetRequest { host, config, allow_trust_change, .. } = request;
    let Some(cms) = view.tree().read(CMS_PATH, MAX_CMS_SIZE)? else { return Ok(None) };
    let image = PristineInTree(Pristine::of_tree(view.tree())?);
    let planned = PlannedTree::new(view.tree(), ETC, (view.index()?, &image), rules);
    let mounts = HostMounts::read(host)?;
    let trust = NextTrust::of_change(
        &mounts.over(view.tree()),
        (config, &mounts.running()),
        &mounts.over(&planned),
        SignedImage::Applied(&cms),
    );
    let lost = trust.unless_refused(allow_trust_change).map_err(EditError::NextTrust)?;
    Ok(lost.map(|reason| format!("the host will not accept this image again: {reason}")))
}

/// Fails if the reset would bring an fstab that cannot be parsed. A change of the running `/etc`
/// cannot be undone.
fn check_image_fstab(view: &View, paths: &[TreePathBuf]) -> Result<(), EditError> {
    if action(view, TreePath::literal("etc/fstab"), paths) != ResetAction::Reset {
        return Ok(());
    }
    let text = view.tree().read_text(format!("{PRISTINE_PATH}/fstab"), MAX_TEXT)?;
    Ok(check_fstab(&text.unwrap_or_default())?)
}

/// Fails unless each of `paths` exists on the host or in the image.
fn check_there(view: &View, paths: &[TreePathBuf]) -> Result<(), EditError> {
    let there = |states: &States, path: &TreePath| states.contains_key(path);
    if let Some(file) = paths.iter().find_map(|path| accounts::AccountFile::from_path(path)) {
        return Err(EditError::Accounts { path: file.path() });
    }
    if let Some(path) = paths.iter().find(|path| !there(&view.host, path) && !there(&view.image, path)) {
        return Err(EditError::NoSuchPath { path: path.clone(), number: view.number() });
    }
    Ok(())
}

/// The part that a path has in a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResetAction {
    /// It returns to the default.
    Reset,
    /// It stays, because it is always the host's.
    HostStays,
    /// It is not in the reset. Accounts have no default to return to.
    Outside,
}

/// Returns what a reset of `paths` does to `path`.
fn action(view: &View, path: &TreePath, paths: &[TreePathBuf]) -> ResetAction {
    let mut tops = paths.iter().filter(|top| path.starts_with(top)).peekable();
    if accounts::AccountFile::from_path(path).is_some() || tops.peek().is_none() {
        ResetAction::Outside
    } else if tops.all(|top| view.protected.stays(path, top)) {
        ResetAction::HostStays
    } else {
        ResetAction::Reset
    }
}

/// The effect of a reset.
#[derive(Debug, Default)]
pub struct ResetPlan {
    /// The differences that it removes.
    pub changes: Vec<EtcChange>,
    /// Paths that differ and stay, because they are always the host's.
    pub always_host: Vec<TreePathBuf>,
    /// A warning for the administrator.
    pub warning: Option<String>,
}

/// Returns what a reset would do. Fails where it would.
pub fn plan_reset(view: &View, request: ResetRequest) -> Result<ResetPlan, EditError> {
    let paths = request.paths;
    let (_, warning) = check(view, request)?;
    let hosts = || view.host.keys().filter(|path| action(view, path, paths) == ResetAction::HostStays);
    let mut plan = ResetPlan { warning, ..ResetPlan::default() };
    for change in view.changes() {
        match action(view, &change.path, paths) {
            // Such a directory stays for what it holds.
            ResetAction::Reset
                if change.change == 'A' && hosts().any(|host| host.starts_with(&change.path)) => {}
            ResetAction::Reset => plan.changes.push(change),
            ResetAction::HostStays => plan.always_host.push(change.path),
            ResetAction::Outside => {}
        }
    }
    Ok(plan)
}

/// Returns what stays, relative to `/etc`: everything outside `paths`. Directories that are missing
/// on the way come back.
fn kept_paths(view: &View, paths: &[TreePathBuf]) -> Result<Vec<TreePathBuf>, EditError> {
    let mut keep = Vec::new();
    for path in view.host.keys().chain(view.image.keys()) {
        if action(view, path, paths) == ResetAction::Reset {
            continue;
        }
        // A directory that the image does not have stays for what it holds.
        if view.host.contains_key(path) {
            let is_directory = |states: &States, path: &TreePath| {
                states.get(path).is_some_and(|inode| inode.kind == Kind::Dir)
            };
            let above = path.ancestors().skip(1);
            let held = above.filter(|above| !is_directory(&view.image, above));
            keep.extend(held.filter(|above| is_directory(&view.host, above)).filter_map(inside));
        }
        let on_the_way =
            paths.iter().find(|wanted| wanted.starts_with(path) && view.image.contains_key(*wanted));
        match (on_the_way, view.host.get(path)) {
            (Some(_), None) => continue,
            (Some(wanted), Some(host)) if host.kind != Kind::Dir => {
                return Err(EditError::NoDirectory {
                    path: wanted.clone(),
                    above: path.clone(),
                    found: host.kind,
                });
            }
            _ => keep.extend(inside(path)),
        }
    }
    keep.sort();
    keep.dedup();
    Ok(keep)
}

fn host_paths(view: &View) -> Vec<TreePathBuf> {
    let inside = view.rules.host_paths.iter().filter_map(|path| inside(path));
    inside.filter(|path| !path.is_root()).collect()
}

/// Returns a path relative to `/etc`, which itself is the root.
fn inside(path: &TreePath) -> Option<TreePathBuf> {
    Some(path.strip_prefix(ETC)?.to_owned())
}

/// The copy of the image's `/etc` as an image.
struct Pristine(OwnedFd);

impl Pristine {
    fn of_tree(tree: &Tree) -> Result<Self, TreeError> {
        Ok(Pristine(tree.directory(PRISTINE_PATH)?))
    }
}

impl Image for Pristine {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        match Beneath::new(self.0.as_fd()).open(path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => Ok(Box::new(File::from(fd))),
            Err(e) => {
                let path = PRISTINE_PATH.as_path().join(path.as_path());
                Err(ImageError::Read { path, source: e.into() })
            }
        }
    }

    fn position(&self, _: &TreePath) -> u64 {
        0
    }
}

/// The same as a part of the whole image.
struct PristineInTree(Pristine);

impl Image for PristineInTree {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        self.0.open(path.strip_prefix(ETC).unwrap_or(path))
    }

    fn position(&self, path: &TreePath) -> u64 {
        self.0.position(path)
    }
}

fn failed(tree: &Tree, path: &str, e: Errno) -> EditError {
    TreeError { path: tree.path().join(path), source: e.into() }.into()
}
