//! The one runner for external programs: absolute path from a fixed list, no shell, a small fixed environment, bounded time, and the
//! program's last words in the error.
//!
//! A program runs in a process group of its own, so that Ctrl-C at the terminal reaches tiu alone, which then ends its programs in an
//! orderly way: a `snapper create` that has begun is finished and undone, not cut in the middle.

use crate::hints;
use crate::progress::{Cancel, Cancelled};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program of the distribution, and where it can be.
#[derive(Debug)]
pub struct Program {
    /// Name, for messages.
    pub name: &'static str,
    /// Absolute paths; the first that exists is taken.
    pub candidates: &'static [&'static str],
    /// Package that has it, for the hint.
    pub package: &'static str,
}

/// snapper(8).
pub const SNAPPER: Program =
    Program { name: "snapper", candidates: &["/usr/bin/snapper"], package: "snapper" };
/// rpm(8).
pub const RPM: Program = Program { name: "rpm", candidates: &["/usr/bin/rpm", "/bin/rpm"], package: "rpm" };
/// systemd-sysusers(8).
pub const SYSUSERS: Program = Program {
    name: "systemd-sysusers",
    candidates: &["/usr/bin/systemd-sysusers", "/bin/systemd-sysusers"],
    package: "systemd",
};
/// unshare(1).
pub const UNSHARE: Program =
    Program { name: "unshare", candidates: &["/usr/bin/unshare", "/bin/unshare"], package: "util-linux" };

/// How much of each output stream is kept, in bytes; the rest is read and thrown away.
const MAX_OUTPUT: usize = 32 << 20;
/// How often a waiting run looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(50);
/// Lines of output that an error shows.
const SHOWN_LINES: usize = 20;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It is not installed.
    #[error("{} is not installed: looked for {}", program.name, program.candidates.join(", "))]
    Missing {
        /// Which.
        program: &'static Program,
    },
    /// It could not be started, or waiting for it failed.
    #[error("{command}: {source}")]
    Start {
        /// Command line.
        command: String,
        /// Cause.
        source: io::Error,
    },
    /// It ended with a code other than 0 or by a signal.
    #[error("{command}: {}{}", ended(*.status), words(.stdout, .stderr))]
    Failed {
        /// Command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        stdout: String,
        /// What it printed as errors.
        stderr: String,
    },
    /// It took too long and was killed.
    #[error("{command}: killed after {} seconds without an end{}", limit.as_secs(), words(.stdout, .stderr))]
    Timeout {
        /// Command line.
        command: String,
        /// How long it had.
        limit: Duration,
        /// What it printed.
        stdout: String,
        /// What it printed as errors.
        stderr: String,
    },
    /// tiu was cancelled; the program was killed.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

hints! { RunError {
    forward Cancelled;
    Missing { program } => format!("install the package {}", program.package),
    Start { .. } => "see whether the program is executable and the system has memory left",
    Failed { command, .. } => format!("run it by hand to see more: {command}"),
    Timeout { .. } => "see what it waits for: a hanging D-Bus service, or a very slow disk",
} }

/// How a program ended, in words.
fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines that a program printed: errors first, for they tell most.
fn words(stdout: &str, stderr: &str) -> String {
    let mut text = String::new();
    for (name, stream) in [("stderr", stderr), ("stdout", stdout)] {
        let lines: Vec<&str> = stream.lines().filter(|line| !line.trim().is_empty()).collect();
        if let Some(last) = lines.len().checked_sub(1) {
            let first = last.saturating_sub(SHOWN_LINES - 1);
            for line in lines.iter().skip(first) {
                let _ = write!(text, "\n    {name}: {}", printable(line));
            }
        }
    }
    text
}

/// Control characters of a foreign program must not reach the terminal.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// What a program printed.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// One run of a program.
pub struct Run<'a> {
    program: &'static Program,
    arguments: Vec<OsString>,
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
    Given(OwnedFd),
}

impl<'a> Run<'a> {
    /// `program`, which has ten minutes, and is not stopped by a cancellation.
    pub fn new(program: &'static Program) -> Self {
        Run {
            program,
            arguments: Vec::new(),
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

    /// Kills the program after `limit`.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Kills the program when `cancel` is set.
    pub fn cancel(mut self, cancel: &'a Cancel) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Gives the program a pipe as standard input that stays open, without data, as long as tiu lives. A program that ends when it
    /// sees the end of its input so cannot outlive tiu.
    pub fn hold_stdin(mut self) -> Self {
        self.stdin = Input::Held;
        self
    }

    /// Gives the program a descriptor as standard input.
    pub fn stdin(mut self, descriptor: OwnedFd) -> Self {
        self.stdin = Input::Given(descriptor);
        self
    }

    /// Runs the program to its end; anything but exit code 0 is an error.
    pub fn output(self) -> Result<Output, RunError> {
        let path = find(self.program)?;
        let shown = shown(&path, &self.arguments);
        let start = |source| RunError::Start { command: shown.clone(), source };
        let mut child = Command::new(&path)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .stdin(match self.stdin {
                Input::Null => Stdio::null(),
                Input::Held => Stdio::piped(),
                Input::Given(descriptor) => descriptor.into(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(start)?;
        let stdin = child.stdin.take();
        let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let waited = wait(&mut child, Instant::now() + self.limit, self.cancel);
        if !matches!(waited, Ok(End::Exited)) {
            // The group may be gone already.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        }
        drop(stdin);
        let status = child.wait().map_err(start)?;
        let (stdout, stderr) = (collect(out), collect(err));
        match waited.map_err(start)? {
            End::Cancelled => Err(Cancelled.into()),
            End::Late => Err(RunError::Timeout { command: shown, limit: self.limit, stdout, stderr }),
            End::Exited if status.success() => Ok(Output { stdout, stderr }),
            End::Exited => Err(RunError::Failed { command: shown, status, stdout, stderr }),
        }
    }
}

/// Where `program` is.
pub fn find(program: &'static Program) -> Result<PathBuf, RunError> {
    program
        .candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or(RunError::Missing { program })
}

fn shown(path: &Path, arguments: &[OsString]) -> String {
    let mut text = path.display().to_string();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let plain = !argument.is_empty()
            && argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_=/.,:+@%".contains(c));
        let _ = match plain {
            true => write!(text, " {argument}"),
            false => write!(text, " '{}'", printable(&argument).replace('\'', r"'\''")),
        };
    }
    text
}

enum End {
    Exited,
    Cancelled,
    Late,
}

/// Waits on a pidfd, so that a tick costs nothing and the end is seen at once.
fn wait(child: &mut Child, deadline: Instant, cancel: Option<&Cancel>) -> io::Result<End> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(End::Exited),
            Err(e) => return Err(e.into()),
        }
        if cancel.is_some_and(Cancel::is_cancelled) {
            return Ok(End::Cancelled);
        }
        if Instant::now() >= deadline {
            return Ok(End::Late);
        }
    }
}

type Drain = std::thread::JoinHandle<Vec<u8>>;

/// Reads a stream to its end beside us, so that the program never blocks on a full pipe.
fn drain(stream: Option<impl Read + Send + 'static>) -> Option<Drain> {
    let mut stream = stream?;
    Some(std::thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = stream.by_ref().take(MAX_OUTPUT as u64).read_to_end(&mut kept);
        let _ = io::copy(&mut stream, &mut io::sink());
        kept
    }))
}

fn collect(drain: Option<Drain>) -> String {
    let bytes = drain.and_then(|thread| thread.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hint;

    static SH: Program = Program { name: "sh", candidates: &["/nowhere/sh", "/bin/sh"], package: "dash" };
    static NONE: Program = Program { name: "none", candidates: &["/nowhere/none"], package: "nothing" };

    #[test]
    fn a_missing_program_names_its_package() {
        let error = Run::new(&NONE).output().unwrap_err();
        assert_eq!(error.to_string(), "none is not installed: looked for /nowhere/none");
        assert_eq!(error.hint().unwrap(), "install the package nothing");
    }

    #[test]
    fn a_failing_program_is_quoted_with_code_and_words() {
        let error = Run::new(&SH).args(["-c", "echo out; echo err >&2; exit 3"]).output().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit code 3"), "{text}");
        assert!(text.contains("stderr: err\n"), "{text}");
        assert!(text.ends_with("stdout: out"), "{text}");
    }

    #[test]
    fn control_characters_are_not_passed_on() {
        let error = Run::new(&SH).args(["-c", r"printf 'a\033[31mb\n'; exit 1"]).output().unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_hanging_program_is_killed_with_its_children() {
        let begin = Instant::now();
        let error =
            Run::new(&SH).args(["-c", "sleep 60 & sleep 60"]).limit(Duration::from_millis(100)).output();
        assert!(matches!(error, Err(RunError::Timeout { .. })));
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_cancelled_program_is_killed() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(
            Run::new(&SH).args(["-c", "sleep 60"]).cancel(&cancel).output(),
            Err(RunError::Cancelled(_))
        ));
    }

    #[test]
    fn a_program_that_prints_much_does_not_block() {
        let output = Run::new(&SH).args(["-c", "head -c 1000000 /dev/zero; echo"]).output().unwrap();
        assert_eq!(output.stdout.len(), 1_000_001);
    }

    #[test]
    fn held_standard_input_stays_open() {
        let output = Run::new(&SH).args(["-c", "timeout 0.2 cat; echo $?"]).hold_stdin().output().unwrap();
        assert_eq!(output.stdout.trim(), "124");
    }
}
