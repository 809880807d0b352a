//! A program that runs next to the test, in a session of its own: all its processes can be found
//! and killed at any moment.

use crate::program::RunOutput;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that was started. Dropping it kills everything of its session.
pub struct Running {
    child: Option<Child>,
    began: Instant,
    session: Pid,
}

/// The end of a [`Running`] program.
pub struct Ended {
    /// From its start to its end.
    pub took: Duration,
    /// Code and output.
    pub outcome: RunOutput,
}

impl Running {
    /// Starts `command` without input and with its output in pipes.
    pub fn start(command: &Command) -> Self {
        // Becomes the program: same process, leader of a new session and of a process group.
        let mut session = Command::new("setsid");
        session.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            session.current_dir(dir);
        }
        session.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let child = session.spawn().unwrap_or_else(|e| panic!("setsid: {e}: install the package util-linux"));
        let session = Pid::from_child(&child);
        Running { child: Some(child), began, session }
    }

    /// The program's process, which leads the session.
    pub fn pid(&self) -> Pid {
        self.session
    }

    /// Waits until `moment` after its start.
    pub fn wait_until(&self, moment: Duration) {
        std::thread::sleep(moment.saturating_sub(self.began.elapsed()));
    }

    /// Reports whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended.
        let _ = kill_process(self.session, signal);
    }

    /// `kill -9` of the process group, as a shell or a terminal does. Programs in groups of their
    /// own go on.
    pub fn kill_group(&self) {
        let _ = kill_process_group(self.session, Signal::KILL);
    }

    /// `kill -9` of everything that it has started, as systemd does with a unit: until nothing is
    /// left.
    pub fn kill_all(&self) {
        self.kill_group();
        while !self.processes().is_empty() {
            for pid in self.processes() {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Processes of its session that are still alive.
    pub fn processes(&self) -> Vec<Pid> {
        let session = self.session.as_raw_nonzero().get().to_string();
        let alive = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // proc_pid_stat(5): after the name state, parent, group, session.
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            (fields.get(3) == Some(&&*session) && fields.first() != Some(&"Z")).then(|| Pid::from_raw(pid))?
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(alive).collect()
    }

    /// Waits for the program's end, but not for what it may have left running.
    pub fn end(&mut self) -> Ended {
        let output = self.child.take().expect("ended once").wait_with_output().unwrap();
        Ended { took: self.began.elapsed(), outcome: output.into() }
    }

    /// Waits until no process of its session is left.
    #[track_caller]
    pub fn wait_for_all(&self) {
        let began = Instant::now();
        while !self.processes().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(30), "processes leaked: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.kill_all();
            let _ = child.wait();
        }
    }
}

/// Waits for `what` until `done`; fails after a minute.
#[track_caller]
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
