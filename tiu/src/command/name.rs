//! The program's name.

/// Name of the program.
pub const NAME: &str = "tiu";
