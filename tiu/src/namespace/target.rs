//! Runs a program of the new system: chrooted into the target, in its own mount and process
//! namespaces.
//!
//! ```text
//! tiu ── unshare(1): private mount namespace, new process namespace
//!          └─ tiu in-target TARGET -- PROGRAM ...   process 1 there: mounts, chroot
//!               └─ PROGRAM
//! ```
//! Nothing can leak: the mounts vanish with the namespace, the namespace with its last process, and
//! all processes with process 1. Process 1 ends when tiu does, for whatever reason: its standard
//! input, a pipe that only tiu holds open, ends.

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tiu_system::beneath::Beneath;
use tiu_system::program::{Output, Run, RunError, UNSHARE};
use tiu_system::progress::Cancel;

/// The hidden subcommand that [`InTarget::enter`] implements.
pub const SUBCOMMAND: &str = "in-target";
/// The time that a program may take. dracut on a slow machine, with everything in the initrd, takes
/// minutes.
const LIMIT: Duration = Duration::from_secs(1800);
/// Exit code if the namespace could not be prepared, as of chroot(1).
const NOT_STARTED: u8 = 125;

/// A program to run in the target.
#[derive(Clone, Debug)]
pub struct InTarget {
    /// The tree of the new system.
    pub target: PathBuf,
    /// Whether it sees the devices of this machine: only if this machine will boot the new system.
    pub devices: bool,
    /// The program's absolute path in the target, and its arguments.
    pub command: Vec<OsString>,
}

impl InTarget {
    /// Runs the program to its end. A cancellation kills it with all its children.
    pub fn run(&self, cancel: &Cancel) -> Result<Output, RunError> {
        let this =
            std::env::current_exe().map_err(|source| RunError::Start { command: "tiu".into(), source })?;
        let mut run = Run::new(&UNSHARE)
            .args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"])
            .arg(this)
            .arg(SUBCOMMAND);
        if self.devices {
            run = run.arg("--devices");
        }
        run.arg(&self.target).arg("--").args(&self.command).limit(LIMIT).cancel(cancel).hold_stdin().output()
    }

    /// Runs in the new namespaces as process 1: mounts, changes the root, runs the program. Returns
    /// its exit code.
    pub fn enter(&self) -> u8 {
        match self.prepare().and_then(|()| self.execute()) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("tiu {SUBCOMMAND}: {error}");
                NOT_STARTED
            }
        }
    }

    fn prepare(&self) -> io::Result<()> {
        // findmnt, dracut and others expect that the root is a mount point.
        mount_bind(&self.target, &self.target)?;
        let target = rustix::fs::open(&self.target, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let secure = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        place(&target, "proc", &|at| mount("proc", at, "proc", secure, None))?;
        if self.devices {
            place(&target, "sys", &|at| mount_bind_recursive("/sys", at))?;
            place(&target, "dev", &|at| mount_bind_recursive("/dev", at))?;
        } else {
            place(&target, "sys", &|at| mount("sysfs", at, "sysfs", secure | MountFlags::RDONLY, None))?;
            place(&target, "dev", &|at| mount("tmpfs", at, "tmpfs", MountFlags::NOSUID, c"mode=0755"))?;
            devices(&resolve(&target, "dev")?)?;
        }
        for (name, mode) in [("run", c"mode=0755"), ("tmp", c"mode=1777"), ("var", c"mode=0755")] {
            // An image may lack any of them.
            match place(&target, name, &|at| {
                mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, mode)
            }) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        if let Ok(var) = resolve(&target, "var") {
            let var = through(&var);
            for name in ["cache", "lib", "log", "tmp"] {
                std::fs::create_dir(format!("{var}/{name}"))?;
            }
            std::fs::set_permissions(format!("{var}/tmp"), PermissionsExt::from_mode(0o1777))?;
        }
        if self.devices && Path::new("/run/udev").is_dir() {
            std::fs::create_dir(format!("{}/udev", through(&resolve(&target, "run")?)))?;
            place(&target, "run/udev", &|at| mount_bind("/run/udev", at))?;
        }
        // The path now leads to the bind mount.
        rustix::process::chroot(&self.target)?;
        Ok(rustix::process::chdir("/")?)
    }

    fn execute(&self) -> io::Result<u8> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        std::thread::spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            // tiu has ended. With process 1, all processes of the namespace end.
            std::process::exit(i32::from(NOT_STARTED));
        });
        let status =
            Command::new(program).args(arguments).stdin(Stdio::null()).status().map_err(|e| {
                io::Error::new(e.kind(), format!("{} does not start: {e}", program.display()))
            })?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255);
        Ok(u8::try_from(code).unwrap_or(255))
    }
}

/// Opens the directory `name` of the target. Does not follow symlinks.
fn resolve(target: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    Beneath::new(target.as_fd()).open(name.as_bytes(), flags).map_err(|e| {
        let kind = io::Error::from(e).kind();
        io::Error::new(kind, format!("the directory {name} of the target: {e}"))
    })
}

/// Returns a path that leads to exactly this descriptor. `/proc` is still that of the outer
/// namespace, but its `self` is this process: a process has a number in each namespace.
fn through(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Mounts something at the directory `name` of the target.
fn place(target: &OwnedFd, name: &str, mount: &dyn Fn(&str) -> rustix::io::Result<()>) -> io::Result<()> {
    let at = resolve(target, name)?;
    mount(&through(&at))
        .map_err(|e| io::Error::new(io::Error::from(e).kind(), format!("mounting on {name}: {e}")))
}

/// Makes the devices that every program may expect.
fn devices(dev: &OwnedFd) -> io::Result<()> {
    use rustix::fs::{FileType, fchmod, makedev, mknodat};
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(dev, name, FileType::CharacterDevice, mode, makedev(1, minor))?;
        let node = rustix::fs::openat(dev, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        fchmod(node, mode)?;
    }
    let dev = through(dev);
    for (name, to) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{to}"), format!("{dev}/{name}"))?;
    }
    std::fs::create_dir(format!("{dev}/shm"))?;
    std::fs::set_permissions(format!("{dev}/shm"), PermissionsExt::from_mode(0o1777))
}
