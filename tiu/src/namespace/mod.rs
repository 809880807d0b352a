//! Programs in their own namespaces: programs of the new system, programs of the running system
//! that read data of an image, and snapper without plugins.
//!
//! | file | holds |
//! |---|---|
//! | `profile` | [`Profile`]: what each program may do and see |
//! | `target` | programs of the new system, in the target |
//! | `devices` | the `/dev` that such a program sees |
//! | `confined` | programs of the running system that read data of an image |
//! | `snapper` | snapper without plugins |

pub(crate) mod confined;
mod devices;
mod profile;
mod snapper;
mod target;

pub use profile::Profile;
pub use snapper::{WITHOUT_PLUGINS, exec_without_plugins, snapper_without_plugins};
pub use target::InTarget;
