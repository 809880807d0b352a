//! Everything that can be known before anything is touched: the signer, whether the image is for
//! this host, the changes of `/etc`, and the origin of the initrd.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::floor;
use super::identity::{self, KnownHost};
use super::labels;
use super::open::{self, OpenedImage};
use super::pending;
use super::sealed;
use super::stage::Stage;
use super::swap::{self, ActiveSwap};
use crate::boot::initrd;
use crate::etc::{BaseImage, EtcPlan, EtcUpdate, decide};
use crate::host::persistent::{self, DirectoryContent, Persistent, PersistentDecision, PersistentFacts};
use crate::host::{HostError, HostPaths, Lock, Memory, NotInstalled, left_out};
use crate::incoming::{Allowed, IncomingImage, LocalFirst};
use crate::labels::Labelling;
use crate::outcome::{NothingToDo, Outcome};
use crate::snapshots::{Snapshot, State};
use crate::state::{ImageState, SealedTree, StateError};
use std::io::{self, Write};
use std::sync::Arc;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::index::{Index, Kind};
use tiu_bundle::policy::POLICY_PATH;
use tiu_extract::{Image, Job, Rules};
use tiu_system::fstab::Mount;
use tiu_system::mountinfo;
use tiu_system::os_release::OsRelease;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::text::printable;
use tiu_system::tree::{Tree, TreeError};

/// The findings of preflight: all that the other stages need.
pub struct Ready {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// Its content.
    pub image: Box<dyn Image>,
    /// Its index.
    pub index: Index,
    /// The snapshot that the update starts from.
    pub base: Snapshot,
    /// The facts in the base about itself.
    pub state: ImageState,
    /// The base's seal, if it has one that holds.
    pub sealed: Option<SealedTree>,
    /// The host's own paths in the base.
    pub host_rules: Rules,
    /// The plan for `/etc`.
    pub etc: EtcPlan,
    /// Directories outside `/var` that are the host's.
    pub persistent: PersistentDecision,
    /// Parts of the image that are not installed.
    pub not_installed: Vec<NotInstalled>,
    /// The image's os-release.
    pub os: OsRelease,
    /// The origin of the initrd.
    pub initrd: initrd::InitrdPlan,
    /// The decision about SELinux labels.
    pub labelling: Labelling,
    /// The host's memory after this update, without this image, if it can be written.
    pub memory: Option<Memory>,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
    /// Held to the end.
    _lock: Lock,
}

/// The outcome of preflight.
pub enum Preflight {
    /// The update can be carried out.
    Ready(Box<Ready>),
    /// The host is already as asked. The lock is still held.
    NothingToDo {
        /// The reason.
        why: NothingToDo,
        /// The host's lock.
        lock: Lock,
    },
}

/// The kind of run that is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// An update.
    Apply,
    /// A plan alone. Not even the file of the lock is made.
    DryRun,
    /// An update inside another program's transaction, which holds its own lock.
    Inside,
}

/// Checks all but space.
pub fn prepare(context: &Context, request: &Request, mode: RunMode) -> Result<Preflight, ApplyError> {
    let Context { config, trust, .. } = *context;
    let host = context.host();
    host.check_updatable()?;
    let bundle = open::bundle(context, request)?;
    let opened = if request.force || !open::seems_installed(context, &bundle) {
        Some(open::content(context, request, &bundle)?)
    } else {
        None
    };
    let lock = match mode {
        RunMode::Apply => {
            let lock = host.lock()?;
            // Before the base is chosen: an interrupted run may have changed what boots next.
            context.next.reconcile()?;
            lock
        }
        RunMode::DryRun => host.lock_unchanged()?,
        RunMode::Inside => host.try_lock_inside()?.ok_or(HostError::Locked { holder: None })?,
    };
    let base = host.default_snapshot()?;
    if base.state() == State::InProgress {
        return Err(ApplyError::BaseUnfinished(base.number));
    }
    let state = ImageState::open_base(host, base.number, trust)?;
    let sealed = sealed::find(context, request, &state);

    if request.unattended
        && let Some(why) = pending::pending(context, &base, &state)
    {
        return Ok(Preflight::NothingToDo { why, lock });
    }
    let KnownHost { identity, memory, mut warnings } = identity::identify(context, &state)?;
    let allowed =
        Allowed { downgrade: request.allow_downgrade || config.allow_downgrade, same: request.force };
    if let Outcome::NothingToDo(why) =
        identity.accepts(&bundle.manifest, floor::signed_at(&bundle.signer), allowed)?
    {
        return Ok(Preflight::NothingToDo { why, lock });
    }

    let opened = opened.map_or_else(|| open::content(context, request, &bundle), Ok)?;
    let OpenedImage { image, index } = opened;
    let image = LocalFirst::over(image, &index, Tree::open(state.tree().path())?);
    let incoming = IncomingImage { manifest: &bundle.manifest, image: &*image, index: &index };
    let image_os =
        OsRelease::parse(&incoming.text(&["usr/lib/os-release", "etc/os-release"].map(TreePath::literal))?);
    let kernel = bundle.manifest.tiu.kernel.as_deref();
    let initrd = initrd::plan(&index, kernel, &image_os, config)?;

    let mut rules = state.host_rules(config)?;
    let mountinfo = mountinfo::read().map_err(|source| TreeError { path: mountinfo::PATH.into(), source })?;
    HostPaths::default()
        .fstab(state.mounts()?)
        .configured(&config.host_paths)
        .subvolumes(state.nested()?)
        .mounted(&mountinfo, host.root())
        .check(&index)?;
    let persistent = decide_persistent(context, &state, incoming, &rules, &mountinfo)?;
    rules.host_paths.extend(persistent.host_paths.iter().cloned());
    let version = Some(bundle.manifest.version.as_str());
    let etc = context.stage(Stage::Etc, None, version, || -> Result<EtcPlan, ApplyError> {
        Ok(decide(&etc_update(context, &state, incoming, &rules)?)?)
    })?;

    let labelling =
        labels::plan(host, state.tree(), incoming, &etc.report)?.map_err(ApplyError::Unlabelable)?;
    let table = &std::fs::read_to_string(swap::ACTIVE).unwrap_or_default();
    let active = ActiveSwap { table, root: host.root(), snapshot: base.number };
    swap::check(state.tree(), &rules.host_paths, &active)?;
    let not_installed = left_out(&index, &rules.host_paths);
    warnings.extend(state.ignored().iter().map(|reason| {
        format!("snapshot {}: {reason}: it counts as absent, and the update makes it again", base.number)
    }));
    warnings.extend(etc.accounts.warnings.iter().cloned());
    warnings.extend(host.snapshots_are_open());
    warnings.extend(labelling.warning());
    warnings.extend(not_running(context, &base));
    warnings.extend(not_installed.iter().map(NotInstalled::to_string));
    warnings.extend(persistent.paths.iter().filter_map(Persistent::warning));
    warnings.extend(data_in_snapshot(&state, &persistent)?);
    let ready = Ready {
        bundle,
        image,
        index,
        base,
        state,
        sealed,
        host_rules: rules,
        etc,
        persistent,
        not_installed,
        os: image_os,
        initrd,
        labelling,
        memory,
        warnings,
        _lock: lock,
    };
    Ok(Preflight::Ready(Box::new(ready)))
}

/// Returns a warning where the base boots next but does not run.
fn not_running(context: &Context, base: &Snapshot) -> Option<String> {
    (context.host().is_live() && !base.active).then(|| {
        format!(
            "snapshot {} boots next and is not running yet: changes of /etc since then are not in the new snapshot",
            base.number
        )
    })
}

/// Returns a warning where data that should outlast updates lies in the snapshots.
fn data_in_snapshot(
    state: &ImageState,
    persistent: &PersistentDecision,
) -> Result<Option<String>, ApplyError> {
    let found = persistent::data_in_snapshot(state.tree(), &mount_points(state.mounts()?, persistent))?;
    if found.is_empty() {
        return Ok(None);
    }
    let paths: Vec<String> = found.iter().map(|path| format!("/{path}")).collect();
    Ok(Some(format!(
        "nothing is mounted at {}: what is there lies in the snapshots and was carried over; what changes there \
         until the next boot stays behind, and a rollback restores the older content",
        paths.join(", ")
    )))
}

/// Compares what the image declares as persistent with what the host has there. Refuses subvolumes
/// inside the base that would be left behind.
fn decide_persistent(
    context: &Context,
    state: &ImageState,
    incoming: IncomingImage,
    rules: &Rules,
    mountinfo: &str,
) -> Result<PersistentDecision, ApplyError> {
    let (tree, mounts) = (state.tree(), state.mounts()?);
    let declared = persistent::declared(&incoming.text(&[POLICY_PATH])?, incoming.index)?;
    let recorded = &state.persistent()?[..];
    let mounted = persistent::mounted(mountinfo, context.host().root(), mounts);
    // Only where an image's file may have to become a directory.
    let other =
        |path: &TreePathBuf| matches!(persistent::content(tree, path), DirectoryContent::Other { .. });
    let old = if declared.iter().any(other) { state.index()? } else { None };
    let was_other = |path: &TreePath| {
        let kind = old.and_then(|old| Some(old.entry(old.find(path)?).kind));
        kind.is_some_and(|kind| kind != Kind::Dir)
    };
    let decision = persistent::decide(&PersistentFacts {
        declared: &declared,
        recorded,
        mounted: &mounted,
        host_paths: &rules.host_paths,
        found: &|path| persistent::content(tree, path),
        was_other: &was_other,
        commands: &|path| persistent::commands(mounts, path),
    })?;
    persistent::check_nested(tree, state.nested()?, &mount_points(mounts, &decision))?;
    Ok(decision)
}

/// Returns where something is mounted on the host. A directory that is bound to itself holds what
/// it held.
fn mount_points(mounts: &[Mount], persistent: &PersistentDecision) -> Vec<TreePathBuf> {
    let elsewhere = mounts.iter().filter(|mount| mount.source.trim_end_matches('/') != mount.target);
    elsewhere.filter_map(Mount::path).chain(persistent.mounted.iter().cloned()).collect()
}

/// Returns what the merge of `/etc` must know of the system that `state` is of.
fn etc_update<'a>(
    context: &Context<'a>,
    state: &'a ImageState,
    incoming: IncomingImage<'a>,
    rules: &'a Rules,
) -> Result<EtcUpdate<'a>, StateError> {
    let base = BaseImage {
        version: state.provenance().map(|provenance| provenance.manifest.version.as_str()),
        index: state.index()?,
        owners: state.owner_rules()?,
        report: state.report()?,
    };
    let Context { config, watch, .. } = *context;
    Ok(EtcUpdate { config, tree: state.tree(), base, incoming, rules, watch })
}

impl Ready {
    /// Prints what the administrator should know, a line for each.
    pub fn describe(&self, out: &mut dyn Write) -> io::Result<()> {
        for warning in &self.warnings {
            writeln!(out, "{:<9} {}", "warning", printable(warning))?;
        }
        for command in self.persistent.paths.iter().flat_map(|path| &path.commands) {
            writeln!(out, "{:<9} {}", "later", printable(command))?;
        }
        Ok(())
    }

    /// Returns what the merge of `/etc` must know of the system that `state` is of.
    pub fn etc_update<'a>(
        &'a self,
        context: &Context<'a>,
        state: &'a ImageState,
        rules: &'a Rules,
    ) -> Result<EtcUpdate<'a>, StateError> {
        let (manifest, image, index) = (&self.bundle.manifest, &*self.image, &self.index);
        etc_update(context, state, IncomingImage { manifest, image, index }, rules)
    }

    /// Returns the engine's job on `tree`.
    pub fn job<'a>(&'a self, context: &'a Context, tree: &'a Tree, rules: &'a Rules) -> Job<'a> {
        Job {
            index: &self.index,
            image: &*self.image,
            target: tree.fd(),
            seeds: &[],
            rules,
            watch: context.watch,
        }
    }
}
