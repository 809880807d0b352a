//! snapper for another root than the running one, without the running system's plugins.
//!
//! With `--root`, snapper still runs the plugins of the running system, and tells them that the subvolume is `/` and the number that of
//! the other host: they would change boot entries or `/etc` of the wrong system. snapper has no option against it, so it runs in a
//! mount namespace of its own, in which the plugins' folder is empty.

use rustix::mount::{MountFlags, mount};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tiu_system::program::{Run, RunError, SNAPPER, UNSHARE, find};

/// Name of the hidden subcommand.
pub const SUBCOMMAND: &str = "without-plugins";
/// Where snapper looks for plugins (snapper-plugins(5)).
const PLUGINS: &str = "/usr/lib/snapper/plugins";

/// A run of snapper in which no plugin is seen. Where there are none, plain snapper.
pub fn snapper() -> Result<Run<'static>, RunError> {
    let any = std::fs::read_dir(PLUGINS).is_ok_and(|mut plugins| plugins.next().is_some());
    if !any {
        return Ok(Run::new(&SNAPPER));
    }
    let this = std::env::current_exe().map_err(|source| RunError::Start { command: "tiu".into(), source })?;
    let unshare = Run::new(&UNSHARE).args(["--mount", "--propagation", "private", "--"]);
    Ok(unshare.arg(this).arg(SUBCOMMAND).arg("--").arg(find(&SNAPPER)?))
}

/// The other side: called in the new namespace; becomes `command`.
pub fn enter(command: &[OsString]) -> io::Error {
    let hidden = || -> io::Result<()> {
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        Ok(mount("tmpfs", Path::new(PLUGINS), "tmpfs", flags, None)?)
    };
    match (hidden(), command.split_first()) {
        (Err(e), _) => e,
        (Ok(()), Some((program, arguments))) => Command::new(program).args(arguments).exec(),
        (Ok(()), None) => io::ErrorKind::InvalidInput.into(),
    }
}
