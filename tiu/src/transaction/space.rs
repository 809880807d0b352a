//! The plan of an update, and whether there is room for it.

use super::context::Context;
use super::error::ApplyError;
use super::preflight::Ready;
use super::sealed;
use crate::boot::bootable::{first_filled, kernel_paths};
use crate::boot::{Need, NeededFile, initrd};
use crate::host::{Paper, Quota};
use std::time::{Duration, Instant};
use tiu_bundle::index::Index;
use tiu_extract::Plan;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{Node, NodeLookup, Tree, TreeError};

/// Free space that an initrd may need, in bytes, where there is none yet to go by.
const INITRD_SPACE: u64 = 64 << 20;
/// Free space that must be left, in bytes: btrfs needs room to make room.
const RESERVE: u64 = 16 << 20;
/// Time after which nothing more is expected to become free.
const PATIENCE: Duration = Duration::from_secs(2);

/// Plans on the base, of which the new snapshot will be a copy, and checks that there is room.
pub fn plan(context: &Context, ready: &Ready) -> Result<Plan, ApplyError> {
    let tree = ready.state.tree();
    let plan = sealed::plan(ready.sealed.as_ref(), tree, &ready.job(context, tree, &ready.etc.rules))?;
    let old = old_initrd(ready);
    // The new one, and what dracut leaves in the way of metadata.
    let initrd = old.map_or(0, |old| old.saturating_mul(2).max(INITRD_SPACE));
    let needed = [initrd, pristine_space(&ready.index), RESERVE]
        .into_iter()
        .fold(plan.space_needed(), u64::saturating_add);
    let free = wait_for_space(context, tree, needed)?;
    if free < needed {
        return Err(ApplyError::NoSpace { needed, free });
    }
    check_quota(context, ready, &plan, None)?;
    Ok(plan)
}

/// Returns the kernel and the initrd that the new snapshot's boot entry will need.
pub fn boot_files(ready: &Ready) -> Need {
    let paper = Paper(&ready.index);
    let in_image = |paths: &[TreePathBuf]| {
        let path = first_filled(&paper, paths)?;
        let entry = ready.index.entry(ready.index.find(&path)?);
        let inode = ready.index.inode_of(&entry);
        Some(NeededFile { size: inode.size, digest: inode.digest })
    };
    let kernel = ready.bundle.manifest.tiu.kernel.as_deref();
    let initrd = match &ready.initrd {
        initrd::InitrdPlan::Shipped(path) => in_image(std::slice::from_ref(path)),
        initrd::InitrdPlan::Dracut(_) => {
            // The next one is rarely much larger.
            let size = largest_initrd(ready).map_or(INITRD_SPACE, |old| old.saturating_add(old / 2));
            Some(NeededFile { size, digest: None })
        }
        initrd::InitrdPlan::Nothing => None,
    };
    Need { kernel: kernel.and_then(|version| in_image(&kernel_paths(version))), initrd }
}

/// Returns the size of the largest initrd in `/boot` of the base.
fn largest_initrd(ready: &Ready) -> Option<u64> {
    let tree = ready.state.tree();
    // Where it cannot be read, the default size is expected.
    let boot = TreePath::literal("boot");
    let names = tree.names(boot).unwrap_or_default();
    let initrds = names.into_iter().filter(|name| name.starts_with(b"initr"));
    initrds
        .filter_map(|name| first_filled(tree, &[boot.child(&name).ok()?]))
        .filter_map(|path| match tree.node(&path) {
            Ok(Some(Node::File { size, .. })) => Some(size),
            _ => None,
        })
        .max()
}

/// Checks that the quotas have room for what is sure to be written. `subvolume` is the new
/// snapshot's, if it exists.
pub fn check_quota(
    context: &Context,
    ready: &Ready,
    plan: &Plan,
    subvolume: Option<u64>,
) -> Result<(), ApplyError> {
    let Some(Quota { qgroup, left }) = context.host().quota(subvolume) else { return Ok(()) };
    let more = [pristine_space(&ready.index), old_initrd(ready).unwrap_or(0)];
    let needed = more.into_iter().fold(plan.space_needed(), u64::saturating_add);
    if left < needed { Err(ApplyError::Quota { qgroup, needed, left }) } else { Ok(()) }
}

/// Returns the size of the base's initrd, if dracut is to make a new one.
fn old_initrd(ready: &Ready) -> Option<u64> {
    match &ready.initrd {
        initrd::InitrdPlan::Dracut(dracut) => {
            Some(ready.state.tree().stat(&dracut.path).map_or(0, |stat| stat.st_size.max(0) as u64))
        }
        _ => None,
    }
}

/// Returns the free bytes. Where they are fewer than `needed`, waits until btrfs has freed what
/// deleted snapshots held: it does so in the background, and what an earlier run had taken may be
/// all that is missing.
fn wait_for_space(context: &Context, tree: &Tree, needed: u64) -> Result<u64, ApplyError> {
    let free = || {
        let stat = rustix::fs::fstatvfs(tree.fd())
            .map_err(|e| TreeError { path: tree.path().to_owned(), source: e.into() })?;
        Ok::<_, ApplyError>(stat.f_bavail.saturating_mul(stat.f_frsize))
    };
    let mut most = free()?;
    let mut grew = Instant::now();
    while most < needed && grew.elapsed() < PATIENCE {
        context.check_cancelled()?;
        // It begins with that, and counts what it has freed, when it commits a transaction: by
        // itself in half a minute.
        let _ = libbtrfsutil::sync(tree.path());
        std::thread::sleep(Duration::from_millis(100));
        let now = free()?;
        if now > most {
            (most, grew) = (now, Instant::now());
        }
    }
    Ok(most)
}

/// Returns what the copy of the image's `/etc` may need, in bytes: a block and an inode for each
/// file, as if nothing could be shared.
fn pristine_space(index: &Index) -> u64 {
    crate::etc::entries(index).map(|entry| entry.size.saturating_add(8192)).fold(0, u64::saturating_add)
}
