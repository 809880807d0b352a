//! A host in a file: the btrfs layout of openSUSE MicroOS with snapper, on a loop device, gone when
//! the test ends.

use crate::program::{self, RunOutput, sh, tool};
use crate::running::Running;
use crate::tree;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Subvolumes of `@` that are mounted over the root, parents first.
pub const SUBVOLUMES: [&str; 8] =
    [".snapshots", "boot/writable", "home", "opt", "root", "srv", "usr/local", "var"];

/// A host whose default snapshot is mounted at [`LoopHost::root`], with the subvolumes over it as
/// its fstab says.
pub struct LoopHost {
    dir: TempDir,
    device: Option<String>,
}

/// See [`LoopHost::state`].
#[derive(Debug, PartialEq, Eq)]
pub struct HostState {
    default: u32,
    list: String,
    inodes: BTreeMap<PathBuf, String>,
    mounts: Vec<String>,
}

impl LoopHost {
    /// A host with 512 MiB, of which snapshot 1 is what an installer leaves: an `/etc` with
    /// snapper's configuration and an fstab.
    pub fn new() -> Self {
        Self::with(512, |_| {})
    }

    /// A host with `mib` MiB; `fill` completes the tree of snapshot 1 before it becomes read-only.
    pub fn with(mib: u64, fill: impl FnOnce(&Path)) -> Self {
        Self::within(&std::env::temp_dir(), mib, fill)
    }

    /// The same, with its disk in a directory below `parent`.
    pub fn within(parent: &Path, mib: u64, fill: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::Builder::new().prefix("tiu-host.").tempdir_in(parent).unwrap();
        let disk = dir.path().join("disk");
        fs::File::create(&disk).unwrap().set_len(mib << 20).unwrap();
        sh!("mkfs.btrfs" of "btrfs-progs", "-q", disk);
        let mut host = Self::attached(dir);
        let at = host.root().join("@");
        let snapshot = at.join(".snapshots/1/snapshot");
        sh!("btrfs" of "btrfs-progs", "subvolume", "create", at);
        for name in SUBVOLUMES {
            fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            sh!("btrfs" of "btrfs-progs", "subvolume", "create", at.join(name));
        }
        // As snapper makes it, and as a tiu leaves it that was refused.
        fs::set_permissions(at.join(".snapshots"), PermissionsExt::from_mode(0o750)).unwrap();
        fs::create_dir(at.join(".snapshots/1")).unwrap();
        fs::DirBuilder::new().mode(0o700).create(at.join(".snapshots/.tiu")).unwrap();
        fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(at.join(".snapshots/.tiu/lock"))
            .unwrap();
        sh!("btrfs" of "btrfs-progs", "subvolume", "create", snapshot);
        tree::file(
            &at,
            ".snapshots/1/info.xml",
            "<?xml version=\"1.0\"?>\n<snapshot>\n  <type>single</type>\n  <num>1</num>\n  <date>2024-01-01 00:00:00</date>\n  \
             <description>first root filesystem</description>\n</snapshot>\n",
        );
        installed(&snapshot);
        fill(&snapshot);
        sh!("btrfs" of "btrfs-progs", "property", "set", snapshot, "ro", "true");
        sh!("btrfs" of "btrfs-progs", "subvolume", "set-default", snapshot);
        host.reboot();
        host
    }

    /// The host whose disk is the file `disk` in `dir`, booted.
    pub fn booted(dir: TempDir) -> Self {
        let mut host = Self::attached(dir);
        host.reboot();
        host
    }

    /// Unmounts it. It can be [copied](Self::copy) then.
    pub fn shut_down(&mut self) {
        // Another test's program can hold the mount for a moment, in a namespace of its own: then
        // unmounting does not write.
        sh!("btrfs" of "btrfs-progs", "filesystem", "sync", self.root());
        sh!("umount" of "mount", "--recursive", self.root());
        self.device = None;
    }

    /// A copy of a host that is shut down, booted, with its disk in a directory below `parent`.
    /// Both have the same UUIDs: one such copy at a time.
    pub fn copy(&self, parent: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("tiu-host.").tempdir_in(parent).unwrap();
        sh!("cp" of "coreutils", "--sparse=always", "--reflink=auto", self.disk(), dir.path());
        Self::booted(dir)
    }

    /// The same, with its default subvolume alone.
    fn attached(dir: TempDir) -> Self {
        let mut host = LoopHost { dir, device: None };
        let device = sh!("losetup" of "mount", "--find", "--show", host.disk()).stdout.trim().to_owned();
        host.device = Some(device.clone());
        fs::create_dir(host.root()).unwrap();
        sh!("mount" of "mount", device, host.root());
        // From now on the device goes away with its last mount.
        sh!("losetup" of "mount", "--detach", device);
        host
    }

    /// The file that is its disk.
    pub fn disk(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// Returns the mount point of the host.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The loop device.
    pub fn device(&self) -> &str {
        self.device.as_deref().expect("an attached host")
    }

    /// A directory of the test's own, outside of the host.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The tree of snapshot `number`.
    pub fn snapshot(&self, number: u32) -> PathBuf {
        self.root().join(format!(".snapshots/{number}/snapshot"))
    }

    /// Numbers of the snapshots whose trees are there.
    pub fn snapshots(&self) -> Vec<u32> {
        let number = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            entry.path().join("snapshot").exists().then(|| entry.file_name().to_str()?.parse().ok()).flatten()
        };
        let mut numbers: Vec<u32> =
            fs::read_dir(self.root().join(".snapshots")).unwrap().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Number of the snapshot that boots next.
    pub fn default(&self) -> u32 {
        let shown = sh!("btrfs" of "btrfs-progs", "subvolume", "get-default", self.root()).stdout;
        let number = shown.trim().rsplit('/').nth(1).and_then(|n| n.parse().ok());
        number.unwrap_or_else(|| panic!("the default is no snapshot: {shown}"))
    }

    /// Does to mounts as a reboot does: the default snapshot becomes the running one.
    pub fn reboot(&mut self) {
        let root = self.root();
        let device = self.device().to_owned();
        // A second mount keeps the loop device alive in between.
        let keep = self.dir.path().join("keep");
        fs::create_dir_all(&keep).unwrap();
        sh!("mount" of "mount", device, keep);
        sh!("umount" of "mount", "--recursive", root);
        sh!("mount" of "mount", device, root);
        for name in SUBVOLUMES {
            sh!("mount" of "mount", "-o", format!("subvol=@/{name}"), device, root.join(name));
        }
        sh!("umount" of "mount", keep);
    }

    /// Changes snapshot `number` as an administrator would.
    pub fn edit(&self, number: u32, change: impl FnOnce(&Path)) {
        let tree = self.snapshot(number);
        let ro = sh!("btrfs" of "btrfs-progs", "property", "get", tree, "ro").stdout;
        sh!("btrfs" of "btrfs-progs", "property", "set", tree, "ro", "false");
        change(&tree);
        if ro.trim() == "ro=true" {
            sh!("btrfs" of "btrfs-progs", "property", "set", tree, "ro", "true");
        }
    }

    /// Runs the host's snapper.
    pub fn snapper(&self, arguments: &[&str]) -> RunOutput {
        let root = self.root();
        let mut all: Vec<&OsStr> = vec!["--no-dbus".as_ref(), "--root".as_ref(), root.as_os_str()];
        all.extend(arguments.iter().map(OsStr::new));
        tool("snapper", "snapper", &all)
    }

    /// `tiu COMMAND --root HOST ARGUMENTS`, to its end.
    pub fn tiu<S: AsRef<OsStr>>(&self, command: &str, arguments: impl IntoIterator<Item = S>) -> RunOutput {
        program::outcome(self.command(command).args(arguments))
    }

    /// The same, running next to the test.
    pub fn start<S: AsRef<OsStr>>(&self, command: &str, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.command(command).args(arguments))
    }

    /// `tiu COMMAND --root HOST`, to complete and run.
    pub fn command(&self, command: &str) -> Command {
        let mut tiu = Command::new(program::path("tiu"));
        tiu.arg(command).arg("--root").arg(self.root());
        tiu
    }

    /// All there is to the host: what boots next, snapper's list, every inode below its root,
    /// mounts. Equal before and after means that nothing was touched.
    pub fn state(&self) -> HostState {
        HostState { inodes: tree::state(&self.root()), ..self.outline() }
    }

    /// [`state`](Self::state) with files only: a snapshot that was made and removed again changes
    /// the times of directories.
    pub fn outline(&self) -> HostState {
        HostState {
            default: self.default(),
            list: self.snapper(&["--csvout", "list"]).stdout,
            inodes: tree::files(&self.root()),
            mounts: self.mounts(),
        }
    }

    /// Mounts anywhere in the system that lie at or below the host's directory, as
    /// `/proc/self/mounts` shows them.
    pub fn mounts(&self) -> Vec<String> {
        let base = self.dir.path().to_string_lossy().into_owned();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.lines().filter(|line| line.contains(&base)).map(str::to_owned).collect()
    }
}

impl Default for LoopHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for LoopHost {
    fn drop(&mut self) {
        // A panic here would hide the test's own.
        let run = |program: &str, arguments: &[&OsStr]| {
            Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        for name in ["keep", "root"] {
            let path = self.dir.path().join(name);
            let _ = run("chattr", &["-i".as_ref(), path.join(".snapshots").as_ref()]);
            // Processes that were killed a moment ago may still hold it.
            let freed = (0..20).any(|_| {
                let freed = !crate::host::is_mounted(&path)
                    || run("umount", &["--recursive".as_ref(), path.as_ref()]);
                if !freed {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                freed
            });
            if !freed {
                run("umount", &["--recursive".as_ref(), "--lazy".as_ref(), path.as_ref()]);
            }
        }
        // Nothing to do where the mounts went as they should.
        if let Some(device) = &self.device
            && fs::read_to_string(format!(
                "/sys/block/{}/loop/backing_file",
                device.trim_start_matches("/dev/")
            ))
            .is_ok_and(|file| Path::new(file.trim_end()).starts_with(self.dir.path()))
        {
            run("losetup", &["--detach".as_ref(), device.as_ref()]);
        }
    }
}

fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str())
}

/// Makes the first snapshot as an installer does.
fn installed(root: &Path) {
    for dir in SUBVOLUMES.iter().chain(&["dev", "proc", "run", "sys", "tmp", "usr/lib"]) {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let mut fstab = String::from("UUID=0 / btrfs ro 0 0\n");
    for name in SUBVOLUMES {
        fstab += &format!("UUID=0 /{name} btrfs subvol=@/{name} 0 0\n");
    }
    tree::file(root, "etc/fstab", fstab);
    tree::file(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    tree::file(root, "etc/hostname", "test-host\n");
    tree::file(root, "etc/default/snapper", "SNAPPER_CONFIGS=\"root\"\n");
    tree::file(
        root,
        "etc/snapper/configs/root",
        "SUBVOLUME=\"/\"\nFSTYPE=\"btrfs\"\nNUMBER_CLEANUP=\"yes\"\nNUMBER_LIMIT=\"2-10\"\nTIMELINE_CREATE=\"no\"\n",
    );
}
