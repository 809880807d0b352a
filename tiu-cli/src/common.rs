//! The options that every program accepts, before and after the name of a command.

use crate::report::{json, print_all};
use crate::{CliError, Failure, print, print_json, warn};
use serde::Serialize;

/// The options that every program accepts.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct CommonArguments {
    /// Print JSON on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Report on standard error what is done; -vv reports more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl CommonArguments {
    /// Fails if `--json` was given to the command `name`, which has no such output.
    pub fn refuse_json(&self, name: &str) -> Result<(), Failure> {
        refuse(self.json, "--json", name)
    }

    /// Prints `document` if `--json` was given, else the text that `human` returns.
    pub fn print(&self, document: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), CliError> {
        if self.json { print_json(document) } else { print(&human()) }
    }

    /// Prints like [`print`](Self::print) what `program` has done. That stays done: if the output
    /// cannot be written, warns on standard error. The exit code says what was done.
    pub fn print_done(&self, program: &str, document: &impl Serialize, human: impl FnOnce() -> String) {
        let text = if self.json { json(document) } else { Ok(human()) };
        if let Err(e) = text.and_then(|text| print_all(&text)) {
            warn(program, &format!("{}; the work itself is done", CliError::Output(e)));
        }
    }
}

/// Fails if the global option `option` was `given` to the command `name`, which does not use it.
pub fn refuse(given: bool, option: &str, name: &str) -> Result<(), Failure> {
    if given {
        return Err(Failure::Usage(format!("the argument '{option}' cannot be used with '{name}'")));
    }
    Ok(())
}
