//! The trust that the next update needs, after a change.
//!
//! Configuration and certificates are read as the changed system will read them, and an image is
//! verified with them. A system that lost a certificate, or whose configuration cannot be read,
//! could not be updated again.

use super::error::ConfigError;
use super::keys::Config;
use super::trust::{ConfiguredTrustError, Trusted};
use tiu_bundle::signature::{self, SignatureError};
use tiu_system::hints;
use tiu_system::tree::System;

/// The reason why a system does not accept an image by its own configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum NotAccepted {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Trust(#[from] ConfiguredTrustError),
    /// No certificate is trusted any more.
    #[error("no certificate is trusted: it has no keyring")]
    Nobody,
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

hints! { NotAccepted {
    forward Config, Trust, Signature;
    Nobody => "set keyring in /etc/tiu/tiu.yaml",
} }

/// The signature of an image, and how its age is judged.
#[derive(Clone, Copy, Debug)]
pub enum SignedImage<'a> {
    /// The image of an update.
    Incoming(&'a [u8]),
    /// An image that was applied: a certificate that has expired since does not count.
    Applied(&'a [u8]),
}

/// The effect of a change on the trust.
#[derive(Debug)]
pub enum NextTrust {
    /// The changed system accepts the image, or neither trusts anybody.
    Stays,
    /// The changed system does not accept the image, as before.
    Missing(NotAccepted),
    /// The change takes it away.
    Lost(NotAccepted),
}

impl NextTrust {
    /// Returns the effect of a change from `before` to `after`. A system that does not
    /// accept the image by what is in `before` may still run with `config`, read in `running`.
    pub fn of_change(
        before: &System,
        (config, running): (&Config, &System),
        after: &System,
        image: SignedImage,
    ) -> Self {
        // What boots next can differ from what runs, and its /etc is the one that goes on.
        let before = by_itself(before, image).or_else(|_| accepts(config, running, image));
        match (before, by_itself(after, image)) {
            (_, Ok(())) => NextTrust::Stays,
            // Where nobody was trusted, --keyring is needed now and later.
            (Err(NotAccepted::Nobody), Err(NotAccepted::Nobody)) => NextTrust::Stays,
            (Ok(()), Err(reason)) | (_, Err(reason @ NotAccepted::Config(_))) => NextTrust::Lost(reason),
            (_, Err(reason)) => NextTrust::Missing(reason),
        }
    }

    /// Returns the reason why the changed system does not accept the image, for a warning. Trust
    /// that the change takes away is an error, unless that is `allowed`.
    pub fn unless_refused(self, allowed: bool) -> Result<Option<NotAccepted>, NotAccepted> {
        match self {
            NextTrust::Stays => Ok(None),
            NextTrust::Lost(reason) if !allowed => Err(reason),
            NextTrust::Missing(reason) | NextTrust::Lost(reason) => Ok(Some(reason)),
        }
    }
}

/// Checks that a system accepts the image by the configuration that is in it.
fn by_itself(system: &System, image: SignedImage) -> Result<(), NotAccepted> {
    accepts(&Config::load_next(system)?, system, image)
}

/// Checks that a system accepts the image by this configuration.
fn accepts(config: &Config, system: &System, image: SignedImage) -> Result<(), NotAccepted> {
    let Trusted { trust, .. } = config.trust(system, &[])?;
    let trust = trust.ok_or(NotAccepted::Nobody)?;
    match image {
        SignedImage::Incoming(cms) => drop(signature::verify(cms, &trust)?),
        SignedImage::Applied(cms) => drop(signature::verify_at_rest(cms, &trust)?),
    }
    Ok(())
}
