//! The frame of a program: parse the command line, run the command, report the error, return the
//! exit code.

use crate::CliError;
use crate::exit;
use crate::log::Logging;
use clap::error::ErrorKind;
use std::process::ExitCode;
use tiu_system::Hint;
use tiu_system::ioctl::close_inherited_on_exec;

/// One of tiu's programs. The type is its parsed command line.
pub trait CliProgram: clap::Parser {
    /// The program's name, as it starts each message.
    const NAME: &'static str;

    /// Returns what the command logs.
    fn logging(&self) -> Logging;

    /// Runs the command.
    fn run(self) -> CommandResult;
}

/// The exit code of a command that did its work, or the error that stopped it.
pub type CommandResult = Result<u8, Failure>;

/// An error that ends the program.
#[derive(Debug)]
pub enum Failure {
    /// The work failed or was cancelled.
    Error {
        /// The error, for the report.
        error: Box<dyn Hint>,
        /// Exit code of the program.
        code: u8,
    },
    /// The command line is wrong in a way that clap cannot see. Reported as clap reports its own
    /// errors.
    Usage(String),
}

impl<E: Hint + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if error.is_cancelled() { exit::CANCELLED } else { exit::FAILED };
        Failure::Error { error: Box::new(error), code }
    }
}

impl Failure {
    /// Returns the exit code of a program that this error ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Error { code, .. } => *code,
            Failure::Usage(_) => exit::USAGE,
        }
    }
}

/// Runs the program `P` on the process's arguments.
pub fn main<P: CliProgram>() -> ExitCode {
    // Before the first thread. Programs that this one runs must not get what its caller left open.
    let closed = close_inherited_on_exec().map_err(|e| CliError::Descriptors(e).into());
    let program = P::parse();
    program.logging().start();
    let code = closed.and_then(|()| program.run()).unwrap_or_else(|failure| {
        match &failure {
            Failure::Error { error, .. } => crate::report(P::NAME, &**error),
            // Nothing is left to do if standard error is closed.
            Failure::Usage(message) => {
                let _ = P::command().error(ErrorKind::ArgumentConflict, message).print();
            }
        }
        failure.exit_code()
    });
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::hints;
    use tiu_system::progress::{Cancel, Cancelled};

    #[derive(Debug, thiserror::Error)]
    #[error("it broke")]
    struct Broken;

    hints! { struct Broken { _ => None, } }

    #[test]
    fn exit_codes_come_from_the_error() {
        let cancel = Cancel::new();
        cancel.cancel();
        let cancelled: Cancelled = cancel.check().expect_err("it is cancelled");
        let codes = [cancelled.into(), Broken.into(), Failure::Usage("wrong".into())];
        assert_eq!(codes.map(|failure: Failure| failure.exit_code()), [130, 1, 2]);
    }
}
