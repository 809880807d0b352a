//! The configuration: `/etc/tiu/tiu.yaml` over `/usr/etc/tiu/tiu.yaml` over `/usr/lib/tiu/tiu.yaml`
//! of the host.
//!
//! A file holds only the keys that it changes: for each key, the first file that has it decides. An
//! unknown key is an error: otherwise a misspelt `keyring` would mean "none".
//!
//! ```text
//! keys       the configuration and its values
//! defaults   the configuration without any file
//! layers     the files (YAML), one over the other
//! paths      paths and patterns as they are written there
//! trust      the certificates that a system trusts
//! next_trust whether a change leaves the trust that the next update needs
//! ```

mod defaults;
mod error;
mod keys;
mod layers;
mod next_trust;
mod paths;
mod trust;

pub use error::ConfigError;
pub use keys::{Boot, Config, EtcTarget, Initrd, Reuse, Sysusers, Usb};
pub use layers::FILES;
pub use next_trust::{NextTrust, NotAccepted, SignedImage};
pub(crate) use paths::pattern;
pub use trust::{ConfiguredTrustError, Trusted};
