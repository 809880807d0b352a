//! A program that runs, and its end.

use super::output::Drain;
use super::{Output, RunError};
use crate::progress::{Cancel, Cancelled};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, ExitStatus};
use std::time::{Duration, Instant};

/// The interval at which a waiting run checks whether it was cancelled.
const TICK: Duration = Duration::from_millis(50);
/// The time for which the processes that a program started may keep its output open after its own
/// end.
const GRACE: Duration = Duration::from_secs(5);
/// Size in bytes of the pipe to a program that reads while the caller writes. More than the default
/// keeps it busy.
const PIPE: usize = 1 << 20;

/// A program that runs and reads what is written to this value. Dropped before
/// [`finish`](Self::finish), it is killed with all processes of its group, and waited for.
pub struct Running<'a> {
    child: Child,
    /// Becomes readable when the program ends.
    pidfd: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: Drain,
    stderr: Drain,
    command: String,
    limit: Duration,
    cancel: Option<&'a Cancel>,
    ended: bool,
    /// The reason why the program was killed while the caller wrote to it.
    killed: Option<End>,
    started: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
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
    ) -> Result<Self, RunError> {
        let mut prepared = || -> io::Result<_> {
            let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
            Ok((pidfd, Drain::new(child.stdout.take())?, Drain::new(child.stderr.take())?))
        };
        match prepared() {
            Ok((pidfd, stdout, stderr)) => {
                let stdin = child.stdin.take();
                let (ended, killed, started) = (false, None, Instant::now());
                Ok(Running {
                    child,
                    pidfd,
                    stdin,
                    stdout,
                    stderr,
                    command,
                    limit,
                    cancel,
                    ended,
                    killed,
                    started,
                })
            }
            Err(source) => {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                let _ = child.wait();
                Err(RunError::Start { command, source })
            }
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

    /// Prepares the input for a caller that writes while the program reads.
    pub(super) fn prepare_stdin(&mut self) {
        if let Some(stdin) = &self.stdin {
            // Best effort: users other than root may have used up their share.
            let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE);
            // A write must not block: see `Write`.
            let _ = rustix::io::ioctl_fionbio(stdin, true);
        }
    }

    /// Waits for the end. The input stays as it is until then.
    pub(super) fn end(mut self) -> Result<Output, RunError> {
        let deadline = Instant::now() + self.limit;
        let waited = self.wait(deadline).map(|end| self.killed.unwrap_or(end));
        if !matches!(waited, Ok(End::Exited)) {
            self.kill();
        }
        // Processes that the program left behind may hold its output open, and tiu with it. They
        // are killed before the program is reaped: its group keeps its number until then.
        let grace = deadline.min(Instant::now() + GRACE);
        if !self.drain(grace) {
            tracing::warn!("{}: killing the processes that it left behind", self.command);
            self.kill();
            self.drain(Instant::now() + TICK);
        }
        self.stdin = None;
        let status = self.child.wait();
        self.ended = status.is_ok();
        let (stdout, stderr) = (self.stdout.stop(), self.stderr.stop());
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

    /// Waits on the pidfd: a tick costs nothing, and the end is seen at once.
    fn wait(&self, deadline: Instant) -> io::Result<End> {
        loop {
            let mut ready = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut ready, Some(&tick())) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(End::Exited),
                Err(e) => return Err(e.into()),
            }
            if self.is_cancelled() {
                return Ok(End::Cancelled);
            }
            if Instant::now() >= deadline {
                return Ok(End::Late);
            }
        }
    }

    /// Waits until both output streams have ended. Returns false if they have not at `deadline`, or
    /// when the run is cancelled.
    fn drain(&self, deadline: Instant) -> bool {
        let mut pause = Duration::from_micros(100);
        while !(self.stdout.has_ended() && self.stderr.has_ended()) {
            if Instant::now() >= deadline || self.is_cancelled() {
                return false;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(TICK);
        }
        true
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(Cancel::is_cancelled)
    }

    fn kill(&self) {
        // The group may already be gone.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

fn tick() -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() }
}

/// Writing ends with an error once the program has ended, even if a process that it left behind
/// holds the input open. A program that reads nothing for as long as its time limit is killed.
impl Write for Running<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let deadline = Instant::now() + self.limit;
        loop {
            let Some(stdin) = &mut self.stdin else { return Err(io::ErrorKind::BrokenPipe.into()) };
            match stdin.write(data) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let mut ready = [PollFd::new(&*stdin, PollFlags::OUT), PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut ready, Some(&tick())) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let [can_write, has_ended] = ready.map(|fd| !fd.revents().is_empty());
            if has_ended && !can_write {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let late = !can_write && Instant::now() >= deadline;
            if late || self.is_cancelled() {
                self.killed = Some(if late { End::Late } else { End::Cancelled });
                self.kill();
                return Err(io::ErrorKind::BrokenPipe.into());
            }
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
