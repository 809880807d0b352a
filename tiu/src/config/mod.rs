//! Configuration: `/etc/tiu/tiu.yaml` over `/usr/etc/tiu/tiu.yaml` over `/usr/lib/tiu/tiu.yaml` of the host.
//!
//! A file says only what it wants to be different: key by key, the first file that has a key decides. An unknown key is an error, for a
//! misspelt `keyring` must not pass as "none".

mod defaults;
mod error;
mod keys;
mod layers;
mod pattern;

pub use error::ConfigError;
pub use keys::{Boot, Config, EtcTarget, Initrd, Sysusers};
pub use layers::FILES;
pub use pattern::matches;
