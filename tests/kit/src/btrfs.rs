//! A btrfs of its own for one test, in a file on a loop device.

use crate::program::sh;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A mounted filesystem; unmounted (and its loop device freed, its file removed) when this is
/// dropped, also after a failed assertion.
pub struct LoopBtrfs {
    dir: tempfile::TempDir,
    options: String,
}

impl LoopBtrfs {
    /// A new btrfs of `size_mib` MiB (at least 114, or 16 and mixed block groups below). Needs
    /// root, mkfs.btrfs and loop devices.
    pub fn new(size_mib: u64) -> Self {
        Self::with_options(size_mib, "noatime")
    }

    /// The same, with mount options of its own.
    pub fn with_options(size_mib: u64, options: &str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test mounts a loopback btrfs: run it as root");
        let dir = tempfile::Builder::new().prefix("tiu-btrfs-").tempdir().unwrap();
        let image = dir.path().join("disk.img");
        File::create(&image).unwrap().set_len(size_mib << 20).unwrap();
        if size_mib < 256 {
            sh!("mkfs.btrfs" of "btrfs-progs", "-q", "--mixed", image);
        } else {
            sh!("mkfs.btrfs" of "btrfs-progs", "-q", image);
        }
        let fs = LoopBtrfs { dir, options: format!("loop,{options}") };
        std::fs::create_dir(fs.path()).unwrap();
        fs.mount();
        fs
    }

    fn mount(&self) {
        sh!("mount" of "mount", "-t", "btrfs", "-o", self.options, self.disk(), self.path());
    }

    /// Calls `work` with the file while the filesystem in it is not mounted.
    pub fn unmounted<T>(&mut self, work: impl FnOnce(&Path) -> T) -> T {
        sh!("umount" of "mount", self.path());
        let result = work(&self.disk());
        self.mount();
        result
    }

    /// Returns the mount point.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("fs")
    }

    /// The file that it is in.
    pub fn disk(&self) -> PathBuf {
        self.dir.path().join("disk.img")
    }

    /// A new subvolume.
    pub fn subvolume(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        sh!("btrfs" of "btrfs-progs", "-q", "subvolume", "create", path);
        path
    }

    /// A writable snapshot of the subvolume at `from`.
    pub fn snapshot(&self, from: &Path, name: &str) -> PathBuf {
        let path = self.path().join(name);
        sh!("btrfs" of "btrfs-progs", "-q", "subvolume", "snapshot", from, path);
        path
    }

    /// Bytes in use, after everything was written out.
    pub fn used(&self) -> u64 {
        sh!("btrfs" of "btrfs-progs", "filesystem", "sync", self.path());
        let text = sh!("btrfs" of "btrfs-progs", "filesystem", "usage", "-b", self.path()).stdout;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("Used:"));
        line.and_then(|bytes| bytes.trim().parse().ok()).expect("`btrfs filesystem usage` prints `Used:`")
    }
}

impl Drop for LoopBtrfs {
    fn drop(&mut self) {
        // Lazily when something in it is still open: the loop device goes with the last user.
        let path = self.path();
        let flags = rustix::mount::UnmountFlags::empty();
        if rustix::mount::unmount(&path, flags).is_err() {
            let _ = rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH);
        }
    }
}
