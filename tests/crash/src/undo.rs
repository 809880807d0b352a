//! If removing the unfinished snapshot fails too, the first error is shown first, and the second
//! one after it.

use crate::facts;
use crate::scene::{OLD, Setup};
use crate::settings::Settings;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use tiu_testing::program::tool;
use tiu_testing::running::wait_for;
use tiu_testing::system::dracut;

/// The folder of the new snapshot, from which nothing can be removed: a read-only mount of itself.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn new(path: PathBuf) -> Self {
        let mount = |arguments: &[&OsStr]| tool("mount", "mount", arguments).succeeded();
        mount(&["--bind".as_ref(), path.as_os_str(), path.as_os_str()]);
        mount(&["-o".as_ref(), "remount,bind,ro".as_ref(), path.as_os_str()]);
        ReadOnly(path)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        tool("umount", "mount", &[self.0.as_os_str()]);
    }
}

pub fn run(_: &Settings, setup: &Setup) -> String {
    let mut scene = setup.scene();
    let body = "echo half >\"$image\"; while [ ! -e /usr/go ]; do sleep 0.05; done; echo 'no such module' >&2; exit 3\n";
    let bundle = setup.kit.bundle(3, |root| dracut(root, body));
    for cancel in [false, true] {
        let mut running = scene.start_with(&bundle);
        let folder = scene.host.root().join(".snapshots/3");
        let initrd = folder.join("snapshot/boot/initramfs-6.1.3-test.img");
        wait_for("the initrd", || initrd.exists());
        // Opened before, so that the file can still be made.
        let usr = File::open(folder.join("snapshot/usr")).expect("a directory");
        let read_only = ReadOnly::new(folder);
        if cancel {
            running.signal(Signal::TERM);
        } else {
            fs::write(format!("/proc/self/fd/{}/go", usr.as_raw_fd()), "").expect("a file");
        }
        drop(usr);
        let outcome = running.end().outcome;
        let text = &outcome.stderr;
        let (code, began) = if cancel { (130, "cancelled") } else { (1, "no such module") };
        assert_eq!(outcome.code, Some(code), "{text}");
        let first = text.find(began).unwrap_or_else(|| panic!("{began:?} is not told: {text}"));
        let second = text.find("removing the unfinished snapshot 3 failed: ");
        assert!(second.is_some_and(|second| first < second), "not told after it: {text}");
        assert!(text.contains("hint: ") && text.contains("tiu cleanup"), "{text}");
        scene.assert_old();
        drop(read_only);
        scene.host.tiu("cleanup", [""; 0]).succeeded();
        facts::assert_only_snapshots(&scene.host, &[1, OLD]);
        scene.assert_undone();
    }
    scene.assert_recovers();
    "a failed and a cancelled run told first what began it, then what stayed; tiu cleanup removed that".into()
}
