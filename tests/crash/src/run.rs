//! `tiu apply`, running next to the test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tiu_testing::host::LoopHost;
use tiu_testing::running::Running;

/// Starts `tiu apply --root HOST ARGUMENTS` with `temporary` as its TMPDIR.
pub fn apply<S: AsRef<OsStr>>(
    host: &LoopHost,
    temporary: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Running {
    Running::start(command(host, temporary).args(arguments))
}

/// Starts the same, held for a while right after each request (ioctl(2)) on the host's
/// `.snapshots`: that is where the default is changed.
pub fn apply_held<S: AsRef<OsStr>>(
    held: Duration,
    host: &LoopHost,
    temporary: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Running {
    let tiu = command(host, temporary);
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", &format!("inject=ioctl:delay_exit={}", held.as_micros())]);
    strace.arg("-P").arg(host.root().join(".snapshots"));
    strace.arg(tiu.get_program()).args(tiu.get_args()).args(arguments).env("TMPDIR", temporary);
    Running::start(&strace)
}

fn command(host: &LoopHost, temporary: &Path) -> Command {
    let mut tiu = host.command("apply");
    tiu.args(["--progress", "none"]).env("TMPDIR", temporary);
    tiu
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
