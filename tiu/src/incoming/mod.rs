//! The image that comes: whether it is for this host, and which of two is newer.

pub mod identity;
pub mod version;
