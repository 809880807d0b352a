//! Programs in namespaces of their own: those of the new system in it, and snapper without plugins.

pub mod snapper;
pub mod target;
