//! Exit codes of all programs.

/// The work is done.
pub const DONE: u8 = 0;
/// The work failed. Nothing was changed, or the changes were undone.
pub const FAILED: u8 = 1;
/// The command line is wrong. This is clap's own code.
pub const USAGE: u8 = 2;
/// There was nothing to do.
pub const NOTHING_TO_DO: u8 = 77;
/// SIGINT, SIGTERM or SIGHUP cancelled the work.
pub const CANCELLED: u8 = 130;
