//! The context of all stages, and the request.

use super::error::ApplyError;
use crate::boot::Next;
use crate::config::Config;
use crate::host::Host;
use crate::status::{ImageFacts, SignerFacts};
use std::sync::{Arc, OnceLock};
use tiu_bundle::manifest::Manifest;
use tiu_bundle::signature::Signer;
use tiu_bundle::trust::Trust;
use tiu_extract::Verity;
use tiu_source::{Location, Network};
use tiu_system::progress::Watch;

/// Everything that the stages share.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The door to what boots next, on the host.
    pub next: Next<'a>,
    /// The host's configuration.
    pub config: &'a Config,
    /// The certificates that are trusted.
    pub trust: &'a Trust,
    /// Receives progress, and stops the run.
    pub watch: Watch<'a>,
}

impl<'a> Context<'a> {
    /// Returns the host.
    pub fn host(&self) -> &'a Host {
        self.next.host()
    }

    /// Fails if the run was cancelled.
    pub(super) fn check_cancelled(&self) -> Result<(), ApplyError> {
        Ok(self.watch.check()?)
    }
}

/// The image to apply, and the exceptions that are allowed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The bundle.
    pub bundle: Location,
    /// The way to fetch it, if it is on a server.
    pub network: Network,
    /// The way to open its image.
    pub verity: Verity,
    /// True if an older image than the base's is accepted.
    pub allow_downgrade: bool,
    /// True if the new snapshot may refuse what this host accepts.
    pub allow_trust_change: bool,
    /// True if the image that the base already has is applied again.
    pub force: bool,
    /// True if nothing is done while a reboot into another image is pending.
    pub unattended: bool,
    /// True to compare everything, whatever is proved of the base.
    pub full: bool,
    /// Receives what is known of the bundle.
    pub known: KnownImage,
}

/// The facts about a bundle whose signature was verified, also if it was refused afterwards: for
/// the record of the refusal. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct KnownImage(Arc<KnownFacts>);

#[derive(Debug, Default)]
struct KnownFacts {
    signer: OnceLock<SignerFacts>,
    image: OnceLock<ImageFacts>,
}

impl KnownImage {
    /// Returns the signer, if the signature is good.
    pub fn signer(&self) -> Option<&SignerFacts> {
        self.0.signer.get()
    }

    /// Returns the image, if its manifest could be read, too.
    pub fn image(&self) -> Option<&ImageFacts> {
        self.0.image.get()
    }

    pub(super) fn note_signer(&self, signer: &Signer) {
        let _ = self.0.signer.set(signer.into());
    }

    pub(super) fn note_image(&self, manifest: &Manifest) {
        let _ = self.0.image.set(manifest.into());
    }
}
