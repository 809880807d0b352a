//! Exit codes of all programs.

/// Done.
pub const DONE: u8 = 0;
/// Failed; nothing was changed, or what was changed was undone.
pub const FAILED: u8 = 1;
/// The command line was wrong (clap's own code).
pub const USAGE: u8 = 2;
/// There was nothing to do.
pub const NOTHING_TO_DO: u8 = 77;
/// Cancelled by SIGINT or SIGTERM.
pub const CANCELLED: u8 = 130;
