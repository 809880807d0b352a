//! Checks that the trust that the next update needs still exists after this one: on paper before
//! anything is touched, and again in the finished snapshot.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::preflight::Ready;
use crate::config::{NextTrust, SignedImage};
use crate::draft::Draft;
use crate::etc::Side;
use crate::host::PlannedTree;
use std::collections::HashSet;
use tiu_extract::Rules;
use tiu_system::path::TreePath;
use tiu_system::tree::{Layer, System, Tree};

/// Checks that what is planned accepts the image, if the host does. Returns what the administrator
/// should know.
pub fn check_plan(context: &Context, request: &Request, ready: &Ready) -> Result<Option<String>, ApplyError> {
    let Rules { keep, host_paths, .. } = &ready.etc.rules;
    let kept: HashSet<&TreePath> = keep.iter().map(|path| &**path).collect();
    let side = |path: &TreePath| {
        if kept.contains(path) || host_paths.iter().any(|host| path.starts_with(host)) {
            Side::Host
        } else {
            Side::Image
        }
    };
    let planned = PlannedTree::new(ready.state.tree(), &ready.index, &*ready.image, side);
    check(context, request, ready, &planned)
}

/// Checks the same of the finished draft.
pub fn check_draft(
    context: &Context,
    request: &Request,
    ready: &Ready,
    draft: &Draft,
) -> Result<Option<String>, ApplyError> {
    check(context, request, ready, draft.tree())
}

fn check(
    context: &Context,
    request: &Request,
    ready: &Ready,
    next: &dyn Layer,
) -> Result<Option<String>, ApplyError> {
    let host = Tree::open(context.host().root())?;
    let mounted = context.host().mounted()?;
    let before = System::with_mounts(ready.state.tree(), &host, mounted.clone());
    let running = System::new(&host);
    let after = System::with_mounts(next, &host, mounted);
    let image = SignedImage::Incoming(&ready.bundle.cms);
    let trust = NextTrust::of_change(&before, (context.config, &running), &after, image);
    let lost = trust.unless_refused(request.allow_trust_change).map_err(ApplyError::NextTrust)?;
    Ok(lost.map(|reason| format!("the new snapshot will not accept this image again: {reason}")))
}
