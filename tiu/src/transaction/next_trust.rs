//! Checks that the trust that the next update needs still exists after this one.
//!
//! Configuration and certificates are read as the new snapshot would read them, and this bundle is
//! verified with them. An image that drops a certificate, or a configuration that a later tiu
//! cannot read, would lock the host out.

use super::context::{Context, Request};
use super::error::ApplyError;
use super::not_accepted::NotAccepted;
use crate::config::{Config, Trusted};
use crate::draft::Draft;
use crate::etc::ETC;
use std::path::Path;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::signature;
use tiu_system::mountinfo;
use tiu_system::path::TreePathBuf;
use tiu_system::tree::{System, Tree, TreeError};

/// Checks that the finished draft accepts the image that is in it, if the host does. Returns what
/// the administrator should know.
pub fn check(
    context: &Context,
    request: &Request,
    bundle: &Bundle,
    base: &Tree,
    draft: &Draft,
) -> Result<Option<String>, ApplyError> {
    let host = Tree::open(context.host().root())?;
    let mounted = mounted(context.host().root())?;
    // What boots next can differ from what runs, and its /etc is the one that goes on.
    let by_base = by_itself(&System::with_mounts(base, &host, mounted.clone()), bundle);
    let before = by_base.or_else(|_| accepts(context.config, &System::new(&host), bundle));
    let after = by_itself(&System::with_mounts(draft.tree(), &host, mounted), bundle);
    match (before, after) {
        (_, Ok(())) => Ok(None),
        // Where nobody was trusted, --keyring is needed now and later.
        (Err(NotAccepted::Nobody), Err(NotAccepted::Nobody)) => Ok(None),
        (Ok(()), Err(reason)) if !request.allow_trust_change => Err(ApplyError::NextTrust(reason)),
        (_, Err(reason @ NotAccepted::Config(_))) if !request.allow_trust_change => {
            Err(ApplyError::NextTrust(reason))
        }
        (_, Err(reason)) => Ok(Some(format!("the new snapshot will not accept this image again: {reason}"))),
    }
}

/// Checks that a system accepts the image by the configuration that is in it.
fn by_itself(system: &System, bundle: &Bundle) -> Result<(), NotAccepted> {
    accepts(&Config::load_next(system)?, system, bundle)
}

/// Checks that a system accepts the image by this configuration.
fn accepts(config: &Config, system: &System, bundle: &Bundle) -> Result<(), NotAccepted> {
    let Trusted { trust, .. } = config.trust(system, &[])?;
    signature::verify(&bundle.cms, &trust.ok_or(NotAccepted::Nobody)?)?;
    Ok(())
}

/// Returns the paths below `root` where something is mounted, and will be again. `/etc` is the
/// snapshot's own, also where it is mounted onto itself.
fn mounted(root: &Path) -> Result<Vec<TreePathBuf>, TreeError> {
    let text = mountinfo::read().map_err(|source| TreeError { path: mountinfo::PATH.into(), source })?;
    let below = |point: String| {
        let below = Path::new(&point).strip_prefix(root).ok()?;
        let below = TreePathBuf::new(below.as_os_str().as_encoded_bytes()).ok()?;
        (!below.is_root() && *below != *ETC).then_some(below)
    };
    Ok(mountinfo::mount_points(&text).filter_map(below).collect())
}
