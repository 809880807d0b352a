//! Limits of a signature.

/// Longest CMS that is read, in bytes.
pub const MAX_CMS_SIZE: u64 = 64 * 1024;
