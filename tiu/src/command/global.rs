//! Shared code of all commands: the program's name, the global options, and the report that there
//! is nothing to do.

use super::host::HostArguments;
pub use super::name::NAME;
use super::record::{self, RecordFacts};
use tiu::outcome::NothingToDo;
use tiu_cli::{CommonArguments, Failure};

/// The options that are accepted before and after the name of a command.
#[derive(clap::Args, Clone, Debug)]
pub struct GlobalArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    #[command(flatten)]
    pub host: HostArguments,
}

impl GlobalArguments {
    /// Fails if an option was given to the command `name`, which works on no host.
    pub fn refuse(&self, name: &str) -> Result<(), Failure> {
        self.common.refuse_json(name)?;
        self.host.refuse(name)
    }
}

/// Reports and records that `operation` had nothing to do. Returns the exit code.
pub fn nothing_to_do(operation: &str, reason: &NothingToDo, facts: &RecordFacts) -> u8 {
    record::nothing_to_do(operation, &reason.to_string(), facts);
    tiu_cli::nothing_to_do(NAME, reason, &reason.hint())
}
