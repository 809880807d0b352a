//! A program to run, with its arguments and its surroundings.

use super::{Output, Program, RunError, Running};
use crate::progress::Cancel;
use crate::text::printable;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// One run of a program.
///
/// ```
/// use tiu_system::program::{Run, UNSHARE};
///
/// let output = Run::new(&UNSHARE).arg("--version").output()?;
/// assert!(output.stdout.contains("util-linux"));
/// # Ok::<(), tiu_system::program::RunError>(())
/// ```
pub struct Run<'a> {
    program: &'static Program,
    arguments: Vec<OsString>,
    shown: bool,
    variables: Vec<(&'static str, OsString)>,
    inherit: bool,
    limit: Duration,
    cancel: Option<&'a Cancel>,
    stdin: Input,
}

/// Standard input of a program.
enum Input {
    Null,
    /// See [`Run::hold_stdin`].
    Held,
    /// See [`Run::stdin`].
    Descriptor(OwnedFd),
    /// See [`Run::input`].
    Bytes(Vec<u8>),
}

impl<'a> Run<'a> {
    /// Returns a run of `program` that has ten minutes, has no input and is not stopped by a
    /// cancellation.
    pub fn new(program: &'static Program) -> Self {
        Run {
            program,
            arguments: Vec::new(),
            shown: true,
            variables: Vec::new(),
            inherit: false,
            limit: Duration::from_secs(600),
            cancel: None,
            stdin: Input::Null,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Leaves the arguments out of messages: one of them may hold a secret.
    pub fn hide_arguments(mut self) -> Self {
        self.shown = false;
        self
    }

    /// Sets a variable of the environment, in addition to the fixed ones.
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    /// Gives the program the whole environment of the caller, without the fixed variables. Only for
    /// programs that act for a user with the user's own settings.
    pub fn inherit_env(mut self) -> Self {
        self.inherit = true;
        self
    }

    /// Kills the program `limit` after [`output`](Self::output), or after [`Running::finish`], has
    /// begun to wait, or when it has not read its input for that long. What it started and left
    /// behind is killed as well: a few seconds after its own end, and at the limit at the latest.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Kills the program if `cancel` is set while its end is waited for.
    pub fn cancel(mut self, cancel: &'a Cancel) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Gives the program a pipe as standard input that stays open, without data, as long as this
    /// process lives. A program that ends when it sees the end of its input cannot outlive this
    /// process then.
    pub fn hold_stdin(mut self) -> Self {
        self.stdin = Input::Held;
        self
    }

    /// Gives the program a descriptor as standard input.
    pub fn stdin(mut self, descriptor: OwnedFd) -> Self {
        self.stdin = Input::Descriptor(descriptor);
        self
    }

    /// Gives the program `bytes` as standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Runs the program to its end. Anything but exit code 0 is an error.
    pub fn output(mut self) -> Result<Output, RunError> {
        let stdin = std::mem::replace(&mut self.stdin, Input::Null);
        match stdin {
            Input::Null => self.start(Stdio::null())?.end(),
            Input::Held => self.start(Stdio::piped())?.end(),
            Input::Descriptor(descriptor) => self.start(descriptor.into())?.end(),
            Input::Bytes(bytes) => {
                let mut running = self.start(Stdio::piped())?;
                running.feed(bytes);
                running.end()
            }
        }
    }

    /// Starts the program, which reads what is written to the returned value. Other inputs that
    /// were set are ignored.
    pub fn spawn(self) -> Result<Running<'a>, RunError> {
        let mut running = self.start(Stdio::piped())?;
        running.prepare_stdin();
        Ok(running)
    }

    fn start(self, stdin: Stdio) -> Result<Running<'a>, RunError> {
        let path = find(self.program)?;
        let shown = command_line(&path, if self.shown { &self.arguments } else { &[] });
        let mut command = Command::new(&path);
        if !self.inherit {
            command.env_clear();
            command
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("HOME", "/root")
                .env("LC_ALL", "C.UTF-8");
        }
        let child = command
            .args(&self.arguments)
            .envs(self.variables)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        match child {
            Ok(child) => Running::new(child, shown, self.limit, self.cancel),
            Err(source) => Err(RunError::Start { command: shown, source }),
        }
    }
}

/// Returns the path of `program`.
pub fn find(program: &'static Program) -> Result<PathBuf, RunError> {
    program
        .candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or(RunError::Missing { program })
}

/// The command line as a shell would take it.
fn command_line(path: &Path, arguments: &[OsString]) -> String {
    let mut text = path.display().to_string();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let plain = !argument.is_empty()
            && argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_=/.,:+@%".contains(c));
        let _ = if plain {
            write!(text, " {argument}")
        } else {
            write!(text, " '{}'", printable(&argument).replace('\'', r"'\''"))
        };
    }
    text
}
