//! The name of the program.

/// Name of the program, for its messages.
pub const NAME: &str = "tiu-extract";
