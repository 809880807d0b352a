//! The runner for external programs. It uses absolute paths from a fixed list, no shell, a small
//! fixed environment, and limits of time and output. An error quotes the program's last lines.
//!
//! A program runs in a process group of its own. Ctrl-C at the terminal therefore reaches the
//! caller alone, which then ends its programs in an orderly way: a `snapper create` that has begun
//! is finished and undone, not interrupted in the middle.
//!
//! | file | holds |
//! |---|---|
//! | `list` | the programs, and where they can be |
//! | `run` | [`Run`]: a program to run, with its options |
//! | `running` | [`Running`]: a program that runs, and its end |
//! | `output` | reads its output |
//! | `error` | [`RunError`] |

mod error;
mod list;
mod output;
mod run;
mod running;

#[cfg(test)]
mod tests;

pub use error::RunError;
pub use list::{
    BLKID, OPENSSL, Program, RPM, SETPRIV, SNAPPER, SYSTEMCTL, SYSUSERS, TAR2SQFS, TRANSACTIONAL_UPDATE,
    UNSHARE,
};
pub use output::Output;
pub use run::{Run, find};
pub use running::Running;
