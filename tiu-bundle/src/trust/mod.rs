//! Which certificates are trusted: keyrings, revocation lists, purpose and time.

mod chain;
mod error;
mod files;
mod keyring;
mod usage;
mod when;

pub use error::TrustError;
pub use keyring::Trust;
pub use when::{Purpose, ValidAt};
