//! A host as the running system: its root is `/` for the programs that run in it.
//!
//! The machine's programs are mounted below `/run` there, where no image has anything.

use crate::host::LoopHost;
use crate::program::{self, RunOutput, outcome};
use crate::system;
use crate::tree;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Where the machine is in the host.
const MACHINE: &str = "/run/machine";

/// Runs the rest of the arguments, a program of the machine, with the machine's libraries. The link
/// to the loader in `lib64` can be absolute and would lead to the image's.
const WITH_LIBRARIES: &str = "for loader in /run/machine/usr/lib/*-linux-gnu*/ld-linux*.so.* /run/machine/usr/lib64/ld-linux*.so.* \
     /run/machine/usr/lib/ld-linux*.so.*; do \
     [ ! -e \"$loader\" ] || break; done\n\
     libraries=/run/machine/usr/lib64:/run/machine/usr/lib\n\
     for directory in /run/machine/usr/lib/*-linux-gnu*; do libraries=$directory:$libraries; done\n\
     exec \"$loader\" --library-path \"$libraries\" ";

/// Adds what [`tiu`] needs to the tree of a [bootable](crate::system::bootable) system.
pub fn programs(root: &Path) {
    let script = format!("#!/bin/sh\n{WITH_LIBRARIES}{MACHINE}/usr/bin/snapper \"$@\"\n");
    tree::script(root, "usr/bin/snapper", &script);
}

/// Adds what [`shell`] needs besides to call `tiu` by its installed path.
pub fn installed(root: &Path) {
    programs(root);
    // By its own name, because it runs itself in namespaces.
    system::libraries(root, &[program::path("tiu").to_str().unwrap()]);
    tree::script(root, "usr/bin/tiu", "#!/bin/sh\nexec /run/programs/tiu \"$@\"\n");
}

/// Runs the script `inner` on `host` as the running system, with `arguments`.
pub fn shell<S: AsRef<OsStr>>(
    host: &LoopHost,
    inner: &str,
    arguments: impl IntoIterator<Item = S>,
) -> RunOutput {
    run(host, &[], "", inner, arguments)
}

/// `tiu ARGUMENTS` on `host` as the running system, in mounts of its own. `files` are seen at the
/// same paths.
pub fn tiu<S: AsRef<OsStr>>(
    host: &LoopHost,
    files: &[&Path],
    arguments: impl IntoIterator<Item = S>,
) -> RunOutput {
    tiu_after(host, files, "", arguments)
}

/// The same after the shell commands `setup`, which see the host at `$root`. What they do outside
/// of mounts is to be undone by a trap.
pub fn tiu_after<S: AsRef<OsStr>>(
    host: &LoopHost,
    files: &[&Path],
    setup: &str,
    arguments: impl IntoIterator<Item = S>,
) -> RunOutput {
    run(host, files, setup, &format!("{WITH_LIBRARIES}/run/programs/tiu \"$@\""), arguments)
}

fn run<S: AsRef<OsStr>>(
    host: &LoopHost,
    files: &[&Path],
    setup: &str,
    inner: &str,
    arguments: impl IntoIterator<Item = S>,
) -> RunOutput {
    let mut script = String::from(
        "root=$1 tiu=$2; shift 2\n\
         mount -t proc proc \"$root/proc\"\n\
         mount --rbind /dev \"$root/dev\"\n\
         mount -t tmpfs tmpfs \"$root/run\"\n\
         mount -t tmpfs tmpfs \"$root/tmp\"\n\
         mkdir -p \"$root/run/machine/usr\" \"$root/run/programs\"\n\
         mount --bind /usr \"$root/run/machine/usr\"\n\
         mount --bind \"${tiu%/*}\" \"$root/run/programs\"\n",
    );
    for file in files {
        let file = file.display();
        script +=
            &format!("mkdir -p \"$root{file}\"; rmdir \"$root{file}\"; cp -a '{file}' \"$root{file}\"\n");
    }
    script += setup;
    script += "\nchroot \"$root\" /bin/sh -ec \"$INNER\" sh \"$@\"\n";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", &script, "sh"]);
    command.arg(host.root()).arg(program::path("tiu")).args(arguments).env("INNER", inner);
    outcome(&mut command)
}
