//! Everything that can be known before anything is touched: who signed, whether the image is for this host, what will be done to
//! `/etc`, where the initrd comes from, and whether there is room.

use super::{ApplyError, Context, Request};
use crate::boot::initrd;
use crate::etc::ETC;
use crate::etc::decide::{self as etc, Etc, New, image_text};
use crate::etc::lists::IMAGE_PATH;
use crate::host::Lock;
use crate::host::paths::{NotInstalled, host_paths, left_out};
use crate::host::persistent::{self, Decision, Found, Persistent, Sides};
use crate::incoming::identity::{Allowed, Identity};
use crate::snapshots::{Snapshot, State, nested_subvolumes};
use crate::state::provenance::Provenance;
use crate::state::record::Record;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiu_bundle::bundle::Bundle;
use tiu_bundle::bundle::open_bundle;
use tiu_bundle::index::{Index, Kind};
use tiu_extract::{Image, Job, Plan, Rules};
use tiu_system::fstab::{self, Mount};
use tiu_system::os_release::OsRelease;
use tiu_system::text::printable;
use tiu_system::tree::{Tree, TreeError};

/// Largest text files that are read from trees, in bytes.
const TEXT_LIMIT: u64 = 16 << 20;
/// Free space that an initrd may need, in bytes, where there is none yet to go by.
const INITRD_SPACE: u64 = 64 << 20;
/// Free space that must be left, in bytes: btrfs needs room to make room.
const RESERVE: u64 = 16 << 20;
/// Where nothing has become free for so long, nothing will.
const PATIENCE: Duration = Duration::from_secs(2);

/// What preflight found: all that the other stages need.
pub struct Ready {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// Its content.
    pub image: Box<dyn Image>,
    /// Its index.
    pub index: Index,
    /// What the update starts from.
    pub base: Snapshot,
    /// What in the base is the host's.
    pub host_rules: Rules,
    /// What becomes of `/etc`.
    pub etc: Etc,
    /// Directories beside `/var` that are the host's.
    pub persistent: Decision,
    /// What of the image is not installed.
    pub not_installed: Vec<NotInstalled>,
    /// Where the initrd comes from.
    pub initrd: initrd::Plan,
    /// What the administrator should know.
    pub warnings: Vec<String>,
    /// Held to the end.
    #[allow(dead_code)]
    lock: Lock,
}

/// Checks all but space.
pub fn prepare(context: &Context, request: &Request) -> Result<Ready, ApplyError> {
    let Context { host, config, trust, .. } = *context;
    let lock = host.lock()?;
    host.check_updatable()?;
    let bundle = Arc::new(open_bundle(&request.bundle, trust)?);
    let base = host.default_snapshot()?;
    if base.state() == State::InProgress {
        return Err(ApplyError::BaseUnfinished { number: base.number });
    }
    let tree = Tree::open(&host.snapshot_path(base.number))?;
    let broken = |source| ApplyError::Base { number: base.number, source };
    let origin = Provenance::read(&tree, Some(trust)).map_err(broken)?;

    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let of_base = origin.as_ref().map(|origin| &origin.manifest);
    let os = OsRelease::parse(&os_release(&tree)?);
    let identity = Identity::new(config.compatible.as_deref(), of_base, &os, &machine);
    let allowed =
        Allowed { downgrade: request.allow_downgrade || config.allow_downgrade, same: request.force };
    identity.accepts(&bundle.manifest, allowed)?;

    let image = tiu_extract::open_image(bundle.clone(), request.verity)?;
    let index = tiu_extract::read_index(&bundle, &*image)?;
    let image_os = image_text(&*image, &index, &["usr/lib/os-release", "etc/os-release"]);
    let initrd =
        initrd::plan(&index, bundle.manifest.tiu.kernel.as_deref(), &OsRelease::parse(&image_os), config)?;

    let new = New { base: base.number, manifest: &bundle.manifest, image: &*image, index: &index };
    let mounts = fstab::parse(&tree.read_text("etc/fstab", TEXT_LIMIT)?.unwrap_or_default());
    let nested = nested_subvolumes(tree.path())?;
    let mut rules =
        Rules { host_paths: host_paths(&mounts, &nested, &config.host_paths)?, ..Rules::default() };
    let persistent = decide_persistent(context, &tree, origin.as_ref(), new, &mounts, &nested, &rules)?;
    rules.host_paths.extend(persistent.host_paths.iter().cloned());
    if nested.iter().any(|path| path.as_os_str().as_encoded_bytes() == ETC) {
        rules.subvolumes.push(ETC.to_vec());
    }

    let etc = etc::decide(context, &tree, new, &rules)?;

    let mut warnings = etc.accounts.warnings.clone();
    if host.is_live() && !base.active {
        warnings.push(format!(
            "snapshot {} boots next and is not running yet: changes of /etc since then are not in the new snapshot",
            base.number
        ));
    }
    let not_installed = left_out(&index, &rules.host_paths);
    warnings.extend(not_installed.iter().map(NotInstalled::to_string));
    warnings.extend(persistent.paths.iter().filter_map(Persistent::warning));
    let in_snapshot = persistent::data_in_snapshot(&tree, &mount_points(&mounts, &persistent))?;
    if !in_snapshot.is_empty() {
        let paths: Vec<String> = in_snapshot.iter().map(|path| format!("/{path}")).collect();
        warnings.push(format!(
            "nothing is mounted at {}: what is there lies in the snapshots and was carried over; what changes there until the next boot stays \
             behind, and a rollback goes back",
            paths.join(", ")
        ));
    }
    Ok(Ready {
        bundle,
        image,
        index,
        base,
        host_rules: rules,
        etc,
        persistent,
        not_installed,
        initrd,
        warnings,
        lock,
    })
}

/// What the image declares as persistent, against what the host has there; refuses subvolumes inside the base that would be left behind.
fn decide_persistent(
    context: &Context,
    tree: &Tree,
    origin: Option<&Provenance>,
    new: New,
    mounts: &[Mount],
    nested: &[PathBuf],
    rules: &Rules,
) -> Result<Decision, ApplyError> {
    let declared = persistent::declared(&image_text(new.image, new.index, &[IMAGE_PATH]), new.index)?;
    let remembered = Record::read(tree)?.map(|record| record.persistent).unwrap_or_default();
    let io = |source| TreeError { path: "/proc/self/mountinfo".into(), source };
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").map_err(io)?;
    let mounted = persistent::mounted(&mountinfo, context.host.root(), mounts);
    // Only where an image's file may have to become a directory.
    let other = |path: &String| matches!(persistent::found(tree, path), Found::Other { .. });
    let old = match origin.filter(|_| declared.iter().any(other)) {
        Some(origin) => {
            Some(origin.index(tree).map_err(|source| ApplyError::Base { number: new.base, source })?)
        }
        None => None,
    };
    let was_other = |path: &str| {
        let kind = old.as_ref().and_then(|old| Some(old.entry(old.find(path.as_bytes())?).kind));
        kind.is_some_and(|kind| kind != Kind::Dir)
    };
    let decision = persistent::decide(&Sides {
        declared: &declared,
        remembered: &remembered,
        mounted: &mounted,
        host_paths: &rules.host_paths,
        found: &|path| persistent::found(tree, path),
        was_other: &was_other,
        commands: &|path| persistent::commands(mounts, path),
    })?;
    persistent::check_nested(tree, nested, &mount_points(mounts, &decision))?;
    Ok(decision)
}

/// Where something is mounted on the host.
fn mount_points(mounts: &[Mount], persistent: &Decision) -> Vec<Vec<u8>> {
    mounts.iter().filter_map(Mount::path).chain(persistent.mounted.iter().cloned()).collect()
}

/// Plans on the base, of which the new snapshot will be a copy, and asks whether there is room.
pub fn plan(context: &Context, ready: &Ready) -> Result<Plan, ApplyError> {
    let tree = Tree::open(&context.host.snapshot_path(ready.base.number))?;
    let plan = tiu_extract::plan(&ready.job(context, &tree, &ready.etc.rules))?;
    let initrd = match &ready.initrd {
        initrd::Plan::Dracut(dracut) => {
            let old = tree.stat(&dracut.path).map_or(0, |stat| stat.st_size.max(0) as u64);
            // The new one, and what dracut leaves in the way of metadata.
            old.saturating_mul(2).max(INITRD_SPACE)
        }
        _ => 0,
    };
    let needed = [initrd, pristine_space(&ready.index), RESERVE]
        .into_iter()
        .fold(plan.space_needed(), u64::saturating_add);
    match wait_for_space(context, &tree, needed)? {
        free if free < needed => Err(ApplyError::NoSpace { needed, free }),
        _ => Ok(plan),
    }
}

/// Free bytes; where fewer than `needed` are, after btrfs has freed what deleted snapshots held: it does so in the background, and what
/// an earlier run had taken may be all that is missing.
fn wait_for_space(context: &Context, tree: &Tree, needed: u64) -> Result<u64, ApplyError> {
    let free = || {
        let stat = rustix::fs::fstatvfs(tree.fd())
            .map_err(|e| TreeError { path: tree.path().to_owned(), source: e.into() })?;
        Ok::<_, ApplyError>(stat.f_bavail.saturating_mul(stat.f_frsize))
    };
    let mut most = free()?;
    let mut grew = Instant::now();
    while most < needed && grew.elapsed() < PATIENCE {
        if context.cancel.is_cancelled() {
            return Err(ApplyError::Cancelled);
        }
        // It begins with that, and counts what it has freed, when it commits a transaction: by itself in half a minute.
        let _ = libbtrfsutil::sync(tree.path());
        std::thread::sleep(Duration::from_millis(100));
        let now = free()?;
        if now > most {
            (most, grew) = (now, Instant::now());
        }
    }
    Ok(most)
}

/// What the copy of the image's `/etc` may need, in bytes: each file a block and an inode, as if nothing could be shared.
fn pristine_space(index: &Index) -> u64 {
    crate::etc::entries(index).map(|entry| entry.size.saturating_add(8192)).fold(0, u64::saturating_add)
}

impl Ready {
    /// Tells what the administrator should know, a line for each.
    pub fn describe(&self, out: &mut dyn Write) -> io::Result<()> {
        for warning in &self.warnings {
            writeln!(out, "{:<9} {}", "warning", printable(warning))?;
        }
        for command in self.persistent.paths.iter().flat_map(|path| &path.commands) {
            writeln!(out, "{:<9} {}", "later", printable(command))?;
        }
        Ok(())
    }

    /// What is applied.
    pub fn new_image(&self) -> New<'_> {
        New {
            base: self.base.number,
            manifest: &self.bundle.manifest,
            image: &*self.image,
            index: &self.index,
        }
    }

    /// The engine's job on `tree`.
    pub fn job<'a>(&'a self, context: &'a Context, tree: &'a Tree, rules: &'a Rules) -> Job<'a> {
        Job {
            index: &self.index,
            image: &*self.image,
            target: tree.fd(),
            seeds: &[],
            rules,
            progress: context.progress,
            cancel: context.cancel,
        }
    }
}

/// os-release of a tree, or nothing. `/etc/os-release` is mostly a link to the other.
pub fn os_release(tree: &Tree) -> Result<String, ApplyError> {
    if let Some(text) = tree.read_text("usr/lib/os-release", TEXT_LIMIT)? {
        return Ok(text);
    }
    match tree.link("etc/os-release") {
        Some(_) => Ok(String::new()),
        None => Ok(tree.read_text("etc/os-release", TEXT_LIMIT)?.unwrap_or_default()),
    }
}
