//! Programs in their own namespaces: programs of the new system, and snapper without plugins.

pub mod snapper;
pub mod target;
