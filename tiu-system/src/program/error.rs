//! The errors of running a program.

use super::Program;
use crate::errno::hint_of_output;
use crate::hints;
use crate::progress::Cancelled;
use crate::text::printable;
use std::fmt::Write as _;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Lines of each output stream that an error shows.
const SHOWN_LINES: usize = 20;

/// A program that did not do its work. The messages hold the command line and the last lines of
/// both output streams.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum RunError {
    #[error("{} is not installed: looked for {}", program.name, program.candidates.join(", "))]
    Missing { program: &'static Program },
    /// The program could not be started, or waiting for it failed.
    #[error("{command}: {source}")]
    Start { command: String, source: io::Error },
    /// The program ended with a code other than 0 or by a signal.
    #[error("{command}: {}{}", end(*.status), last_words(.stdout, .stderr))]
    Failed { command: String, status: ExitStatus, stdout: String, stderr: String },
    /// The program took longer than `limit` and was killed.
    #[error("{command}: killed because it had not ended after {} seconds{}", limit.as_secs(), last_words(.stdout, .stderr))]
    Timeout { command: String, limit: Duration, stdout: String, stderr: String },
    /// The caller was cancelled; the program was killed.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { RunError {
    forward Cancelled;
    Missing { program } => format!("install the package {}", program.package),
    Start { .. } => "check that the program is executable and that the system has free memory",
    Failed { command, stdout, stderr, .. } => match hint_of_output(stderr).or(hint_of_output(stdout)) {
        Some(hint) => hint.to_owned(),
        None => format!("run it by hand for details: {command}"),
    },
    Timeout { .. } => "find out what it waits for: a hanging D-Bus service, or a very slow disk",
} }

fn end(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines that a program printed. Errors come first, because they say most.
fn last_words(stdout: &str, stderr: &str) -> String {
    let mut text = String::new();
    for (name, stream) in [("stderr", stderr), ("stdout", stdout)] {
        let lines: Vec<&str> = stream.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
            let _ = write!(text, "\n    {name}: {}", printable(&line.replace('\t', " ")));
        }
    }
    text
}
