//! One `tiu apply` beside the test, in a session of its own, so that all its processes can be found and killed at any moment.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tiu_testing::host::LoopHost;
use tiu_testing::program::{self, Outcome};

/// A program that runs.
pub struct Running {
    child: Option<Child>,
    began: Instant,
    session: Pid,
}

impl Running {
    /// Starts `tiu apply --root HOST ARGUMENTS`.
    pub fn apply<S: AsRef<OsStr>>(
        host: &LoopHost,
        temporary: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::after(&[], host, temporary, arguments)
    }

    /// The same, held for a while right after each request (ioctl(2)) on the host's `.snapshots`: that is where the default is changed.
    pub fn held<S: AsRef<OsStr>>(
        held: Duration,
        host: &LoopHost,
        temporary: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let inject = format!("inject=ioctl:delay_exit={}", held.as_micros());
        let snapshots = host.root().join(".snapshots");
        let strace = ["strace", "-qq", "-o", "/dev/null", "-e", &inject, "-P"].map(OsStr::new);
        Self::after(&[&strace[..], &[snapshots.as_os_str()]].concat(), host, temporary, arguments)
    }

    /// `tiu apply` as the last argument of another program.
    fn after<S: AsRef<OsStr>>(
        before: &[&OsStr],
        host: &LoopHost,
        temporary: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        // Becomes tiu: same process, leader of a new session and of a process group.
        let mut tiu = Command::new("setsid");
        tiu.args(before).arg(program::path("tiu"));
        tiu.args(["apply", "--progress", "none", "--root"]).arg(host.root());
        tiu.args(arguments).env("TMPDIR", temporary);
        tiu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let child = tiu.spawn().unwrap_or_else(|e| panic!("setsid: {e}: install the package util-linux"));
        let session = Pid::from_child(&child);
        Running { child: Some(child), began, session }
    }

    /// Waits until `moment` after its start.
    pub fn wait_until(&self, moment: Duration) {
        std::thread::sleep(moment.saturating_sub(self.began.elapsed()));
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// A signal to tiu alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended.
        let _ = kill_process(self.session, signal);
    }

    /// `kill -9` of the process group, as a shell or a terminal does. Programs that tiu has in groups of their own go on.
    pub fn kill_group(&self) {
        let _ = kill_process_group(self.session, Signal::KILL);
    }

    /// `kill -9` of everything that the run has started, as systemd does with a unit: until nothing is left.
    pub fn kill_all(&self) {
        self.kill_group();
        while !self.processes().is_empty() {
            for pid in self.processes() {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Its processes that are still alive.
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

    /// Waits for tiu's end, but not for the programs that it may have left.
    pub fn end(&mut self) -> Ended {
        let output = self.child.take().expect("ended once").wait_with_output().unwrap();
        Ended {
            took: self.began.elapsed(),
            outcome: Outcome {
                code: output.status.code(),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
        }
    }

    /// Waits until no process of the run is left.
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

/// A run that is over.
pub struct Ended {
    /// From its start to its end.
    pub took: Duration,
    /// Code and output.
    pub outcome: Outcome,
}

/// Says on a failure what was being done.
pub struct Doing(pub String);

impl Drop for Doing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("  in {}", self.0);
        }
    }
}
