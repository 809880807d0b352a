//! Trust in certificates: keyrings, revocation lists, purpose and time.

mod chain;
mod error;
mod files;
mod keyring;
mod signer;
mod skipped;
mod strength;
mod usage;
mod when;

pub use error::TrustError;
pub use keyring::Trust;
pub(crate) use signer::check_key;
pub use signer::{Expiry, check_signer};
pub use skipped::SkippedFiles;
pub use when::{Purpose, ValidAt};
