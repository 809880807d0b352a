//! Trust in certificates: keyrings, revocation lists, purpose and time.

mod chain;
mod error;
mod files;
mod keyring;
mod signer;
mod strength;
mod usage;
mod when;

pub use error::TrustError;
pub use files::SkippedFiles;
pub use keyring::Trust;
pub(crate) use signer::check_key;
pub use signer::{Expiry, check_signer};
pub use when::{Purpose, ValidAt};
