//! Runs a program of the new system, with the target as its root, in namespaces of its own.
//!
//! ```text
//! tiu ── unshare(1): namespaces for mounts, processes, network, IPC and host name
//!          └─ tiu in-target --as PROFILE TARGET -- PROGRAM ...   process 1 there: mounts, root,
//!               └─ PROGRAM                                       capabilities
//! ```
//! Nothing can leak: the mounts vanish with the namespace, the namespace with its last process, and
//! all processes with process 1. Process 1 ends when tiu does, for whatever reason: its standard
//! input, a pipe that only tiu holds open, ends.
//!
//! The rights and the view of the program are its [`Profile`]. It has no descriptors besides its
//! standard ones: tiu marked those that its caller left open
//! (`tiu_system::ioctl::close_inherited_on_exec`), so that process 1 does not have them either.

use super::confined::NAMESPACES;
use super::devices;
use super::profile::{Devices, Profile};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tiu_system::beneath::Beneath;
use tiu_system::named::Named;
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
    /// The rights and the view of the program.
    pub profile: Profile,
    /// The program's absolute path in the target, and its arguments.
    pub command: Vec<OsString>,
}

impl InTarget {
    /// Runs the program to its end. A cancellation kills it with all its children.
    pub fn run(&self, cancel: &Cancel) -> Result<Output, RunError> {
        let this =
            std::env::current_exe().map_err(|source| RunError::Start { command: "tiu".into(), source })?;
        Run::new(&UNSHARE)
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
            .args(NAMESPACES)
            .arg("--")
            .arg(this)
            .args([SUBCOMMAND, "--as", self.profile.name()])
            .arg(&self.target)
            .arg("--")
            .args(&self.command)
            // An initrd has no extended attributes, and copying them takes more capabilities.
            .env("DRACUT_NO_XATTR", "1")
            .limit(LIMIT)
            .cancel(cancel)
            .hold_stdin()
            .output()
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
        mount_remount(&self.target, MountFlags::BIND | MountFlags::NODEV | MountFlags::NOSUID, "")?;
        let target = rustix::fs::open(&self.target, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let secure = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        // Root owns the kernel's settings in both: it could write them without any capability.
        let fixed = secure | MountFlags::RDONLY;
        place(&target, "proc", &|at| mount("proc", at, "proc", fixed, None))?;
        place(&target, "sys", &|at| mount("sysfs", at, "sysfs", fixed, None))?;
        place(&target, "dev", &|at| {
            mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755")
        })?;
        let dev = resolve(&target, "dev")?;
        devices::make(&dev, &through(&dev), self.profile.devices(), Path::new("/dev"))?;
        place(&target, "dev/shm", &|at| mount("tmpfs", at, "tmpfs", secure, c"mode=1777"))?;
        // A program that can make nodes must not find a place where they lead to devices.
        mount_remount(
            through(&resolve(&target, "dev")?),
            MountFlags::BIND | MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::RDONLY,
            "",
        )?;
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
        if self.profile.devices() == Devices::Blocks && Path::new("/run/udev").is_dir() {
            std::fs::create_dir(format!("{}/udev", through(&resolve(&target, "run")?)))?;
            place(&target, "run/udev", &|at| mount_bind("/run/udev", at))?;
            let flags = MountFlags::BIND | MountFlags::RDONLY | secure;
            mount_remount(through(&resolve(&target, "run/udev")?), flags, "")?;
        }
        change_root(&self.target)?;
        keep_capabilities(self.profile.capabilities())
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

/// Makes `target` the root. Nothing else of the running system's files can then be reached, as they
/// are no longer mounted in this namespace.
fn change_root(target: &Path) -> io::Result<()> {
    // The path now leads to the bind mount.
    rustix::process::chdir(target)?;
    match rustix::process::pivot_root(".", ".") {
        // The old root is now on top of the new one.
        Ok(()) => unmount(".", UnmountFlags::DETACH)?,
        // The running system's root is not a mount (a chroot of a rescue system): it stays mounted.
        Err(Errno::INVAL) => rustix::process::chroot(".")?,
        Err(e) => return Err(io::Error::new(io::Error::from(e).kind(), format!("changing the root: {e}"))),
    }
    Ok(rustix::process::chdir("/")?)
}

/// Drops all capabilities except `kept`, forever: also for programs with set-uid bits.
fn keep_capabilities(kept: CapabilitySet) -> io::Result<()> {
    use rustix::thread::{
        capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    };
    clear_ambient_capability_set()?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) if !kept.contains(capability) => remove_capability_from_bounding_set(capability)?,
            Ok(_) => {}
            // Above the last one that the kernel knows.
            Err(Errno::INVAL) => break,
            Err(e) => return Err(e.into()),
        }
    }
    // A container may lack some itself.
    let kept = kept & capabilities(None)?.permitted;
    set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
    )?;
    Ok(set_no_new_privs(true)?)
}
