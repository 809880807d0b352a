//! Checks that the result of an update can boot: on paper before anything is touched, and again in
//! the finished snapshot.

use super::context::Context;
use super::error::ApplyError;
use super::preflight::Ready;
use crate::accounts::AccountFile;
use crate::boot::bootable::{NeededInitrd, check, check_accounts, check_files, check_fstab};
use crate::boot::initrd::{self, InitrdPlan};
use crate::config::Initrd;
use crate::etc::Side;
use crate::host::{HostPaths, Paper};
use tiu_system::fstab;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Tree};

/// Checks the image's files, the merged accounts and the host's fstab.
pub fn check_plan(context: &Context, ready: &Ready) -> Result<(), ApplyError> {
    // dracut makes it later.
    let made = matches!(ready.initrd, InitrdPlan::Dracut(_));
    let places = |version: &str| places(context, ready, version);
    let initrd = if made || context.config.initrd == Initrd::None {
        NeededInitrd::None
    } else {
        NeededInitrd::OneOf(&places)
    };
    check_files(&Paper(&ready.index), kernel(ready), &initrd)?;
    let tree = ready.state.tree();
    match ready.etc.accounts.content(AccountFile::Passwd) {
        Some(passwd) => check_accounts(passwd)?,
        None if stays(ready, AccountFile::Passwd.path()) => {
            check_accounts(&tree.read("etc/passwd", MAX_TEXT)?.unwrap_or_default())?;
        }
        None => {}
    }
    if stays(ready, TreePath::literal("etc/fstab")) {
        check_fstab(&tree.read_text("etc/fstab", MAX_TEXT)?.unwrap_or_default())?;
    }
    Ok(())
}

/// Returns whether the host's version of a file of `/etc` stays. The image's is checked in the
/// finished snapshot.
fn stays(ready: &Ready, path: &TreePath) -> bool {
    ready.etc.report.decided(path).is_none_or(|decided| decided.side == Side::Host)
}

/// Checks the finished snapshot. Its fstab may be the image's.
pub fn check_snapshot(context: &Context, ready: &Ready, tree: &Tree) -> Result<(), ApplyError> {
    let places = |version: &str| places(context, ready, version);
    let initrd = match context.config.initrd {
        Initrd::None => NeededInitrd::None,
        _ => NeededInitrd::OneOf(&places),
    };
    check(tree, kernel(ready), &initrd)?;
    let mounts = fstab::parse(&tree.read_text("etc/fstab", MAX_TEXT)?.unwrap_or_default());
    Ok(HostPaths::default().fstab(&mounts).check(&ready.index)?)
}

fn kernel(ready: &Ready) -> Option<&str> {
    ready.bundle.manifest.tiu.kernel.as_deref()
}

/// Returns the paths of which one must be the initrd of the kernel `version`.
fn places(context: &Context, ready: &Ready, version: &str) -> Vec<TreePathBuf> {
    match &ready.initrd {
        InitrdPlan::Shipped(path) => vec![path.clone()],
        InitrdPlan::Dracut(dracut) => vec![dracut.path.clone()],
        InitrdPlan::Nothing => initrd::places(version, &ready.os, context.config),
    }
}
