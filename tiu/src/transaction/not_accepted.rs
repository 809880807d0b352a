//! The reason why a system does not accept an image by its own configuration.

use crate::config::{ConfigError, ConfiguredTrustError};
use tiu_bundle::signature::SignatureError;
use tiu_system::hints;

/// The reason why a system does not accept an image.
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
