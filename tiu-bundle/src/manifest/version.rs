//! The version of the manifest's format.

/// Highest `format` that this version reads, and the one that it writes.
pub const FORMAT: u32 = 1;
