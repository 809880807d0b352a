//! The identity of the host that an image is compared with: from its configuration, from the base's
//! image, and from what the host remembers.

use super::context::Context;
use super::error::ApplyError;
use super::floor::{self, Floors};
use crate::host::Memory;
use crate::incoming::HostIdentity;
use crate::state::ImageState;
use std::path::Path;
use tiu_bundle::trust::ValidAt;
use tiu_system::os_release::{self, OsRelease};
use tiu_system::tree::{MAX_TEXT, System};

/// The identity of a host, with where it comes from.
pub struct KnownHost {
    /// The identity.
    pub identity: HostIdentity,
    /// The host's next memory, unless a later tiu wrote it.
    pub memory: Option<Memory>,
    /// Warnings for the administrator.
    pub warnings: Vec<String>,
}

/// Returns the identity of the host whose base is `state`.
pub fn identify(context: &Context, state: &ImageState) -> Result<KnownHost, ApplyError> {
    let config = context.config;
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let of_base = state.provenance().map(|provenance| &provenance.manifest);
    let (os, unreadable) = release(state);
    let mut identity = HostIdentity::new(config.compatible.as_deref(), of_base, &os, &machine);
    let Floors { floors, failed, memory, mut warnings } =
        floor::read(context, state, &os, identity.compatible.as_deref())?;
    warnings.extend(unreadable);
    identity.floors = floors;
    identity.failed = failed;
    identity.minimum = config.min_version.clone();
    identity.by_signing_time = config.valid_at == ValidAt::SigningTime;
    Ok(KnownHost { identity, memory, warnings })
}

/// Returns the os-release of the base, and warnings about files of it that cannot be read. The
/// image brought them: a damaged one must not stop the update that mends it.
fn release(base: &ImageState) -> (OsRelease, Vec<String>) {
    let system = System::new(base.tree());
    let mut warnings = Vec::new();
    let [own, vendor] = os_release::PATHS;
    for path in [vendor, own] {
        match system.read(Path::new(path), MAX_TEXT) {
            Ok(Some(bytes)) => return (OsRelease::parse(&String::from_utf8_lossy(&bytes)), warnings),
            Ok(None) => {}
            Err(error) => warnings.push(format!(
                "snapshot {}: its os-release cannot be read, and is not compared with the image: {error}",
                base.number()
            )),
        }
    }
    (OsRelease::default(), warnings)
}
