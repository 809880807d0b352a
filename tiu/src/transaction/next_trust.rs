//! Checks that the trust that the next update needs still exists after this one: on paper before
//! anything is touched, and again in the finished snapshot.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::preflight::Ready;
use crate::config::{NextTrust, SignedImage};
use crate::draft::Draft;
use crate::host::{HostMounts, PlannedTree};
use tiu_system::path::TreePath;
use tiu_system::tree::Layer;

/// Checks that what is planned accepts the image, if the host does. Returns what the administrator
/// should know.
pub fn check_plan(context: &Context, request: &Request, ready: &Ready) -> Result<Option<String>, ApplyError> {
    let image = (&ready.index, &*ready.image);
    let planned = PlannedTree::new(ready.state.tree(), TreePath::ROOT, image, &ready.etc.rules);
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
    let mounts = HostMounts::read(context.host())?;
    let trust = NextTrust::of_change(
        &mounts.over(ready.state.tree()),
        (context.config, &mounts.running()),
        &mounts.over(next),
        SignedImage::Incoming(&ready.bundle.cms),
    );
    let lost = trust.unless_refused(request.allow_trust_change).map_err(ApplyError::NextTrust)?;
    Ok(lost.map(|reason| format!("the new snapshot will not accept this image again: {reason}")))
}
