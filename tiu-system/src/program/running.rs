//! A program that runs, and its end.

use super::output::Drain;
use super::{Output, RunError};
use crate::progress::{Cancel, Cancelled};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::io::{self, Write};
use std::process::{Child, ChildStdin, ExitStatus};
use std::time::{Duration, Instant};

/// How often a waiting run checks whether it was cancelled.
const TICK: Duration = Duration::from_millis(50);
/// Size in bytes of the pipe to a program that reads while the caller writes. More than the default
/// keeps it busy.
const PIPE: usize = 1 << 20;

/// A program that runs and reads what is written to this value. Dropped before
/// [`finish`](Self::finish), it is killed with all processes of its group, and waited for.
pub struct Running<'a> {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Drain,
    stderr: Drain,
    command: String,
    limit: Duration,
    cancel: Option<&'a Cancel>,
    ended: bool,
    started: Instant,
}

enum End {
    Exited,
    Cancelled,
    Late,
}

impl<'a> Running<'a> {
    pub(super) fn new(
        mut child: Child,
        command: String,
        limit: Duration,
        cancel: Option<&'a Cancel>,
    ) -> Self {
        let (stdout, stderr) = (Drain::new(child.stdout.take()), Drain::new(child.stderr.take()));
        let stdin = child.stdin.take();
        Running {
            child,
            stdin,
            stdout,
            stderr,
            command,
            limit,
            cancel,
            ended: false,
            started: Instant::now(),
        }
    }

    /// Ends the program's input and waits for its end. Anything but exit code 0 is an error.
    pub fn finish(mut self) -> Result<Output, RunError> {
        self.stdin = None;
        self.end()
    }

    /// Writes `bytes` to the program and ends its input, without waiting for it to read them.
    pub(super) fn feed(&mut self, bytes: Vec<u8>) {
        if let Some(mut stdin) = self.stdin.take() {
            // A program that fails before it reads says why on its standard error.
            std::thread::spawn(move || stdin.write_all(&bytes));
        }
    }

    pub(super) fn widen_stdin(&mut self) {
        if let Some(stdin) = &self.stdin {
            // Best effort: users other than root may have used up their share.
            let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE);
        }
    }

    /// Waits for the end. The input stays as it is until then.
    pub(super) fn end(mut self) -> Result<Output, RunError> {
        let waited = self.wait();
        if !matches!(waited, Ok(End::Exited)) {
            self.kill();
        }
        self.stdin = None;
        let status = self.child.wait();
        self.ended = status.is_ok();
        let (stdout, stderr) = (self.stdout.collect(), self.stderr.collect());
        if let Ok(status) = status {
            self.log(status);
        }
        let command = std::mem::take(&mut self.command);
        match (waited, status) {
            (Err(source), _) | (_, Err(source)) => Err(RunError::Start { command, source }),
            (Ok(End::Cancelled), _) => Err(Cancelled.into()),
            (Ok(End::Late), _) => Err(RunError::Timeout { command, limit: self.limit, stdout, stderr }),
            (Ok(End::Exited), Ok(status)) if status.success() => Ok(Output { stdout, stderr }),
            (Ok(End::Exited), Ok(status)) => Err(RunError::Failed { command, status, stdout, stderr }),
        }
    }

    /// Logs how the program ended. The command line has no arguments if one of them may hold a
    /// secret.
    fn log(&self, status: ExitStatus) {
        let (program, arguments) = self.command.split_once(' ').unwrap_or((&self.command, ""));
        let (seconds, exit) = (self.started.elapsed().as_secs_f64(), status.code());
        let command = &self.command;
        if status.success() {
            tracing::info!(program, arguments, seconds, exit, "ran {command} in {seconds:.1} s");
        } else {
            tracing::warn!(program, arguments, seconds, exit, "{command}: {status} after {seconds:.1} s");
        }
    }

    /// Waits on a pidfd: a tick costs nothing, and the end is seen at once.
    fn wait(&self) -> io::Result<End> {
        let deadline = Instant::now() + self.limit;
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        loop {
            let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(End::Exited),
                Err(e) => return Err(e.into()),
            }
            if self.cancel.is_some_and(Cancel::is_cancelled) {
                return Ok(End::Cancelled);
            }
            if Instant::now() >= deadline {
                return Ok(End::Late);
            }
        }
    }

    fn kill(&self) {
        // The group may already be gone.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

impl Write for Running<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(data),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            let _ = self.child.wait();
        }
    }
}
