//! The one runner for external programs: an absolute path from a fixed list, no shell, a small
//! fixed environment, bounded time and output, and the program's last words in the error.
//!
//! A program runs in a process group of its own. Ctrl-C at the terminal therefore reaches the
//! caller alone, which then ends its programs in an orderly way: a `snapper create` that has begun
//! is finished and undone, not interrupted in the middle.
//!
//! | file | holds |
//! |---|---|
//! | `list` | the programs, and where they can be |
//! | `run` | [`Run`]: what to run and how |
//! | `running` | [`Running`]: a program that runs, and its end |
//! | `output` | reading what it prints |
//! | `error` | [`RunError`] |

mod error;
mod list;
mod output;
mod run;
mod running;

#[cfg(test)]
mod tests;

pub use error::RunError;
pub use list::{OPENSSL, Program, RPM, SETPRIV, SNAPPER, SYSUSERS, TAR2SQFS, UNSHARE};
pub use output::Output;
pub use run::{Run, find};
pub use running::Running;
