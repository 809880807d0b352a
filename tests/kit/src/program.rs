//! Runs the project's programs as a user would, and examines their output.

use crate::documents;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Returns the path of a program that cargo built: next to the `deps` folder of the running test,
/// or next to the running program.
pub fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("path of the running test");
    let deps = test.ancestors().find(|dir| dir.ends_with("deps"));
    let dir = deps.unwrap_or(&test).parent().expect("a cargo target folder");
    let program = dir.join(name);
    assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
    program
}

/// The exit code and the output of a program that has ended.
#[derive(Debug)]
pub struct RunOutput {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for RunOutput {
    fn from(output: Output) -> Self {
        RunOutput {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs one of the project's programs.
pub fn run<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> RunOutput {
    outcome(Command::new(path(name)).args(arguments))
}

/// Runs `command` to its end. JSON that it prints must be as its schema says.
pub fn outcome(command: &mut Command) -> RunOutput {
    let outcome: RunOutput = match command.output() {
        Ok(output) => output.into(),
        Err(e) => panic!(
            "{command:?} does not start: {e}; sudo tests/run.sh installs what tests need \
             (tests/scripts/packages.*)"
        ),
    };
    documents::check_output(command, &outcome.stdout, &outcome.stderr);
    outcome
}

impl RunOutput {
    /// It ended with 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// It ended with 1 and one error that says each of `needles`, and with a hint; it did not
    /// panic.
    #[track_caller]
    pub fn refused(self, needles: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "panic:\n{}", self.stderr);
        assert!(self.stderr.contains("error: "), "no error is shown:\n{}", self.stderr);
        for needle in needles {
            assert!(self.stderr.contains(needle), "the error does not say {needle:?}:\n{}", self.stderr);
        }
        assert!(self.stderr.contains("hint: "), "no hint:\n{}", self.stderr);
        self
    }
}

/// Runs a system program that a test needs; its absence is a failure that says what to install.
#[track_caller]
pub fn tool(program: &str, package: &str, arguments: &[&OsStr]) -> RunOutput {
    match Command::new(program).args(arguments).output() {
        Ok(output) => output.into(),
        Err(e) => panic!("{program} does not start ({e}): install the package {package}"),
    }
}

/// Runs a tool that must succeed, with arguments of any kind of string; returns its [`RunOutput`].
macro_rules! sh {
    ($program:literal of $package:literal, $($argument:expr),* $(,)?) => {
        $crate::program::tool(
            $program,
            $package,
            &[$(AsRef::<std::ffi::OsStr>::as_ref(&$argument)),*],
        )
        .succeeded()
    };
}
pub(crate) use sh;

/// The JSON document, of version 1, that a program printed.
#[track_caller]
pub fn json(outcome: &RunOutput) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|e| panic!("{e}:\n{}\n{}", outcome.stdout, outcome.stderr));
    assert_eq!(value["version"], 1, "{value}");
    value
}
