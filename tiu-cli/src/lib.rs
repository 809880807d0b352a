//! The command-line parts that tiu's programs share. The libraries do not use them.
//!
//! | module | holds |
//! |---|---|
//! | `program` | the frame of a program: command line, exit code, errors |
//! | `common` | options that every program accepts |
//! | `report` | results, warnings, errors with cause and hint |
//! | [`exit`] | exit codes |
//! | `progress` | progress on a terminal, in a log, or for programs |
//! | [`log`] | the log in the journal and on the terminal |
//! | `named` | arguments with a fixed set of names |
//! | `network` | where a bundle is, and how it is fetched, as arguments |
//! | `trust` | which certificates to trust, as arguments |
//! | `signals` | signals that cancel a run |
//! | `pages` | manual pages and completions |
//!
//! # Example
//!
//! A program is a command line that runs:
//!
//! ```
//! use clap::Parser;
//! use tiu_cli::log::Logging;
//! use tiu_cli::{CliError, CliProgram, CommandResult, exit};
//!
//! /// Create an empty file
//! #[derive(Parser)]
//! struct Touch {
//!     path: std::path::PathBuf,
//! }
//!
//! impl CliProgram for Touch {
//!     const NAME: &'static str = "touch";
//!
//!     fn logging(&self) -> Logging {
//!         Logging::default()
//!     }
//!
//!     fn run(self) -> CommandResult {
//!         if self.path.exists() {
//!             return Ok(exit::NOTHING_TO_DO);
//!         }
//!         std::fs::write(&self.path, "").map_err(CliError::path(&self.path))?;
//!         Ok(exit::DONE)
//!     }
//! }
//!
//! // The main function is `tiu_cli::main::<Touch>()`.
//! let touch = Touch::parse_from(["touch", "/no/such/directory/file"]);
//! assert_eq!(touch.run().unwrap_err().exit_code(), exit::FAILED);
//! let touch = Touch::parse_from(["touch", "/"]);
//! assert!(matches!(touch.run(), Ok(exit::NOTHING_TO_DO)));
//! ```
#![forbid(unsafe_code)]

mod common;
mod error;
pub mod exit;
pub mod log;
mod named;
mod network;
mod pages;
mod program;
mod progress;
mod report;
mod signals;
mod trust;

pub use common::{CommonArguments, refuse};
pub use error::CliError;
pub use named::named;
pub use network::{NetworkArguments, location};
pub use pages::{CompletionsArguments, ManArguments};
pub use program::{CliProgram, CommandResult, Failure, main};
pub use progress::{ProgressMode, progress};
pub use report::{causes, nothing_to_do, print, print_json, report, warn};
pub use signals::{SecondSignal, cancel_on_signals};
pub use trust::TrustArguments;
