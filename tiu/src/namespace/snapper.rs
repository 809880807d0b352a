//! Runs snapper for a host at `--root` without the running system's plugins.
//!
//! With `--root`, snapper still runs the plugins of the running system, with the subvolume `/` and
//! the number of the other host's snapshot: they would change boot entries or `/etc` of the wrong
//! system. snapper has no option to prevent this, so it runs in its own mount namespace, in which
//! the directory of the plugins is empty.

use rustix::mount::{MountFlags, mount};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tiu_system::program::{Run, RunError, SNAPPER, UNSHARE, find};

/// The hidden subcommand that [`exec_without_plugins`] implements.
pub const WITHOUT_PLUGINS: &str = "without-plugins";
/// The directory of snapper's plugins (snapper-plugins(5)).
const PLUGINS: &str = "/usr/lib/snapper/plugins";

/// Returns a run of snapper that sees no plugins; plain snapper if there are none.
pub fn snapper_without_plugins() -> Result<Run<'static>, RunError> {
    let any = std::fs::read_dir(PLUGINS).is_ok_and(|mut plugins| plugins.next().is_some());
    if !any {
        return Ok(Run::new(&SNAPPER));
    }
    let this = std::env::current_exe().map_err(|source| RunError::Start { command: "tiu".into(), source })?;
    let unshare = Run::new(&UNSHARE).args(["--mount", "--propagation", "private", "--"]);
    Ok(unshare.arg(this).arg(WITHOUT_PLUGINS).arg("--").arg(find(&SNAPPER)?))
}

/// Runs in the new namespace: hides the plugins and becomes `command`. Returns only on errors.
pub fn exec_without_plugins(command: &[OsString]) -> io::Error {
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
